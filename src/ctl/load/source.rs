//! Events from a file: one JSON object a line, plain or gzip. The lines are sent as they are, not judged.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use bytes::Bytes;
use flate2::read::MultiGzDecoder;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Reads a whole file, or standard input for `-`.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Bytes>> {
    let mut raw = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin()
            .lock()
            .read_to_end(&mut raw)
            .context("standard input")?;
    } else {
        raw = fs::read(path).with_context(|| path.display().to_string())?;
    }
    Ok(lines(
        unpacked(raw).with_context(|| path.display().to_string())?,
    ))
}

fn unpacked(raw: Vec<u8>) -> std::io::Result<Vec<u8>> {
    if !raw.starts_with(&GZIP_MAGIC) {
        return Ok(raw);
    }
    let mut text = Vec::new();
    MultiGzDecoder::new(raw.as_slice()).read_to_end(&mut text)?;
    Ok(text)
}

/// The lines that are not blank, as slices of one buffer.
fn lines(text: Vec<u8>) -> Vec<Bytes> {
    let text = Bytes::from(text);
    text.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .map(|line| text.slice_ref(line))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn a_file_is_cut_into_its_lines_without_the_blank_ones() {
        assert_eq!(
            lines(b"{1}\r\n\n  {2}\n{3}".to_vec()),
            ["{1}", "{2}", "{3}"]
        );
    }

    #[test]
    fn gzip_is_known_by_its_first_bytes() {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(b"{1}\n{2}").unwrap();
        let packed = gzip.finish().unwrap();
        assert_eq!(unpacked(packed.clone()).unwrap(), b"{1}\n{2}");
        assert_eq!(unpacked(b"{1}".to_vec()).unwrap(), b"{1}");
        assert!(unpacked(packed[..packed.len() / 2].to_vec()).is_err());
    }
}
