//! A blocking RESP2 client, just enough to drive a server from a test.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A command as its words.
pub(crate) type Command = Vec<Vec<u8>>;

/// Where a server listens.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Unix(PathBuf),
    Tcp(u16),
}

/// What a server answered.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Option<Vec<u8>>),
    Array(Option<Vec<Reply>>),
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple(text) => write!(f, "+{text}"),
            Self::Error(text) => write!(f, "-{text}"),
            Self::Int(number) => write!(f, ":{number}"),
            Self::Bulk(None) | Self::Array(None) => write!(f, "nil"),
            Self::Bulk(Some(bytes)) => write!(f, "\"{}\"", shown(bytes)),
            Self::Array(Some(items)) => f.debug_list().entries(items).finish(),
        }
    }
}

impl Reply {
    /// The text of a status or bulk reply.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Simple(text) => text.clone(),
            Self::Bulk(Some(bytes)) => String::from_utf8(bytes.clone())
                .unwrap_or_else(|_| panic!("expected text, the server answered {self:?}")),
            _ => panic!("expected text, the server answered {self:?}"),
        }
    }

    /// A number; text that is one counts.
    #[track_caller]
    pub(crate) fn int(&self) -> i64 {
        match self {
            Self::Int(number) => *number,
            _ => self.text().parse().unwrap_or_else(|_| {
                panic!("expected an integer, the server answered {self:?}");
            }),
        }
    }

    #[track_caller]
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bulk(Some(bytes)) => bytes.clone(),
            Self::Simple(text) => text.clone().into_bytes(),
            _ => panic!("expected a string, the server answered {self:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::Array(Some(items)) => items,
            _ => panic!("expected an array, the server answered {self:?}"),
        }
    }

    pub(crate) fn is_nil(&self) -> bool {
        matches!(self, Self::Bulk(None) | Self::Array(None))
    }

    pub(crate) fn error(&self) -> Option<&str> {
        match self {
            Self::Error(text) => Some(text),
            _ => None,
        }
    }

    /// The value of `name` in an array of alternating names and values.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        self.items()
            .chunks_exact(2)
            .find(|pair| pair[0].bytes() == name.as_bytes())
            .map(|pair| &pair[1])
    }

    /// An array of alternating items as pairs.
    #[track_caller]
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&Self, &Self)> {
        let items = self.items();
        assert!(
            items.len().is_multiple_of(2),
            "expected pairs, the server answered {self:?}"
        );
        items.chunks_exact(2).map(|pair| (&pair[0], &pair[1]))
    }
}

/// Bytes for a message: escaped, cut when long.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 600;
    let cut = &bytes[..bytes.len().min(MOST)];
    let mut text = cut.escape_ascii().to_string();
    if bytes.len() > MOST {
        text.push_str(&format!("... ({} bytes)", bytes.len()));
    }
    text
}

/// A command for a message.
pub(crate) fn shown_command<W: AsRef<[u8]>>(words: &[W]) -> String {
    let mut text: Vec<String> = words
        .iter()
        .take(12)
        .map(|word| shown(word.as_ref()))
        .collect();
    if words.len() > 12 {
        text.push(format!("... ({} words)", words.len()));
    }
    text.join(" ")
}

/// One command of words that may be of different types: `command!["SET", key, 12]`.
#[macro_export]
macro_rules! command {
    ($($word:expr),+ $(,)?) => {
        $crate::util::resp::Command::from([$($crate::util::resp::Word::word(&$word)),+])
    };
}

/// What can stand in a command.
pub(crate) trait Word {
    fn word(&self) -> Vec<u8>;
}

macro_rules! words_as_bytes {
    ($($t:ty),+) => {$(impl Word for $t {
        fn word(&self) -> Vec<u8> { <$t as AsRef<[u8]>>::as_ref(self).to_vec() }
    })+};
}
macro_rules! words_as_text {
    ($($t:ty),+) => {$(impl Word for $t {
        fn word(&self) -> Vec<u8> { self.to_string().into_bytes() }
    })+};
}
words_as_bytes!(&str, String, &String, &[u8], Vec<u8>, &Vec<u8>);
words_as_text!(i32, u32, i64, u64, usize);

impl<const N: usize> Word for &[u8; N] {
    fn word(&self) -> Vec<u8> {
        self.to_vec()
    }
}

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buf),
            Self::Tcp(stream) => stream.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(buf),
            Self::Tcp(stream) => stream.write(buf),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Unix(stream) => stream.flush(),
            Self::Tcp(stream) => stream.flush(),
        }
    }
}

/// A connection to one server.
pub(crate) struct Client {
    stream: BufReader<Stream>,
}

impl Client {
    pub(crate) fn connect(address: &Address) -> io::Result<Self> {
        // A server that hangs must fail the test, not hang it.
        let patience = Some(Duration::from_secs(60));
        let stream = match address {
            Address::Unix(path) => Self::connect_unix(path, patience)?,
            Address::Tcp(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port))?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(patience)?;
                Stream::Tcp(stream)
            }
        };
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    fn connect_unix(path: &Path, patience: Option<Duration>) -> io::Result<Stream> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(patience)?;
        Ok(Stream::Unix(stream))
    }

    /// Sends one command and reads its answer, which may be an error.
    pub(crate) fn try_cmd<W: AsRef<[u8]>>(&mut self, words: &[W]) -> io::Result<Reply> {
        let mut wire = Vec::new();
        encode(words, &mut wire);
        self.stream.get_mut().write_all(&wire)?;
        self.read_reply()
    }

    /// Sends one command; the answer may be an error reply.
    ///
    /// # Panics
    /// When the connection is lost.
    #[track_caller]
    pub(crate) fn cmd<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Reply {
        self.try_cmd(words)
            .unwrap_or_else(|error| panic!("{}: {error}", shown_command(words)))
    }

    /// Sends one command whose answer must be no error.
    #[track_caller]
    pub(crate) fn ok<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Reply {
        let reply = self.cmd(words);
        if let Some(error) = reply.error() {
            panic!("{}: {error}", shown_command(words));
        }
        reply
    }

    /// Sends many commands at once; answers in their order, errors among them.
    #[track_caller]
    pub(crate) fn pipe(&mut self, commands: Vec<Command>) -> Vec<Reply> {
        let mut replies = Vec::with_capacity(commands.len());
        // In parts, so that the two directions cannot block each other: a server stops
        // reading when its answers are not taken.
        let mut rest = &commands[..];
        while !rest.is_empty() {
            let mut wire = Vec::new();
            let mut count = 0;
            for command in rest.iter().take(256) {
                encode(command, &mut wire);
                count += 1;
                if wire.len() > 256 * 1024 {
                    break;
                }
            }
            self.stream
                .get_mut()
                .write_all(&wire)
                .unwrap_or_else(|error| panic!("{}: {error}", shown_command(&rest[0])));
            for command in &rest[..count] {
                let reply = self.read_reply();
                replies.push(
                    reply.unwrap_or_else(|error| panic!("{}: {error}", shown_command(command))),
                );
            }
            rest = &rest[count..];
        }
        replies
    }

    /// As `pipe`, but an error reply panics with its command.
    #[track_caller]
    pub(crate) fn pipe_ok(&mut self, commands: Vec<Command>) -> Vec<Reply> {
        let replies = self.pipe(commands.clone());
        for (command, reply) in commands.iter().zip(&replies) {
            if let Some(error) = reply.error() {
                panic!("{}: {error}", shown_command(command));
            }
        }
        replies
    }

    /// Sends bytes as they are, for tests of the protocol itself.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Reads what comes until `enough` says so, or the server closes.
    pub(crate) fn read_raw(
        &mut self,
        mut enough: impl FnMut(&[u8]) -> bool,
    ) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while !enough(&all) {
            let part = self.stream.fill_buf()?;
            if part.is_empty() {
                break;
            }
            all.extend_from_slice(part);
            let taken = part.len();
            self.stream.consume(taken);
        }
        Ok(all)
    }

    pub(crate) fn read_reply(&mut self) -> io::Result<Reply> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        let Some(line) = line.strip_suffix(b"\r\n") else {
            let text = format!("the server closed the connection after {:?}", shown(&line));
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        };
        let bad = || {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("no RESP2 line: {:?}", shown(line)),
            )
        };
        let (&kind, rest) = line.split_first().ok_or_else(bad)?;
        let text = String::from_utf8_lossy(rest).into_owned();
        let number = || text.parse::<i64>().map_err(|_| bad());
        Ok(match kind {
            b'+' => Reply::Simple(text),
            b'-' => Reply::Error(text),
            b':' => Reply::Int(number()?),
            b'$' => match number()? {
                -1 => Reply::Bulk(None),
                len => {
                    let mut bytes = vec![0; usize::try_from(len).map_err(|_| bad())? + 2];
                    self.stream.read_exact(&mut bytes)?;
                    bytes.truncate(bytes.len() - 2);
                    Reply::Bulk(Some(bytes))
                }
            },
            b'*' => match number()? {
                -1 => Reply::Array(None),
                len => Reply::Array(Some(
                    (0..len)
                        .map(|_| self.read_reply())
                        .collect::<io::Result<_>>()?,
                )),
            },
            _ => return Err(bad()),
        })
    }
}

/// Appends a command in the form clients send.
pub(crate) fn encode<W: AsRef<[u8]>>(words: &[W], wire: &mut Vec<u8>) {
    wire.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        let word = word.as_ref();
        wire.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        wire.extend_from_slice(word);
        wire.extend_from_slice(b"\r\n");
    }
}
