//! CRC-16/XMODEM, by which clusters assign keys to slots.
//!
//! Polynomial 0x1021, initial value 0, not reflected, no final xor (`crc16.c`).

const TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 {
                crc << 1
            } else {
                crc << 1 ^ 0x1021
            };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

/// Computes the checksum of `bytes`.
#[must_use]
#[inline]
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        crc << 8 ^ TABLE[usize::from((crc >> 8) as u8 ^ byte)]
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn crc16_of_the_check_string() {
        assert_eq!(super::crc16(b"123456789"), 0x31c3);
        assert_eq!(super::crc16(b""), 0);
    }
}
