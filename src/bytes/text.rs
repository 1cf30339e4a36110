//! The content of a string: bytes, or an integer whose decimal text is the bytes.

/// One string value, member, field or element.
///
/// Servers store decimal integers in binary wherever they can; what a client
/// sees is always their text. `Int` keeps the number so that nothing is printed
/// before somebody asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// The bytes themselves.
    Bytes(&'a [u8]),
    /// Stands for the decimal text of the number.
    Int(i64),
}

impl<'a> Text<'a> {
    /// The bytes that a client sees; `buffer` holds them if they had to be printed.
    #[must_use]
    #[inline]
    pub fn as_bytes<'s>(self, buffer: &'s mut itoa::Buffer) -> &'s [u8]
    where
        'a: 's,
    {
        match self {
            Text::Bytes(bytes) => bytes,
            Text::Int(n) => buffer.format(n).as_bytes(),
        }
    }

    /// The bytes that a client sees, owned.
    #[must_use]
    pub fn to_vec(self) -> Vec<u8> {
        self.as_bytes(&mut itoa::Buffer::new()).to_vec()
    }

    /// Length of those bytes.
    #[must_use]
    pub fn len(self) -> usize {
        self.as_bytes(&mut itoa::Buffer::new()).len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        matches!(self, Text::Bytes([]))
    }
}
