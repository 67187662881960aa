//! Damage to valid inputs, and noise.

use fastrand::Rng;

/// Longest input; longer ones cost time and find nothing that these do not.
const BYTES_MAX: usize = 64 * 1024;

/// Pieces that readers of JSON, times, numbers and frames have stumbled over before.
const PIECES: [&[u8]; 40] = [
    b"\\u0000",
    b"\\ud800",
    b"\\udfff\\ud800",
    b"\0",
    b"\xff",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\xef\xbb\xbf",
    "\u{202e}\u{10ffff}".as_bytes(),
    b"1e999",
    b"-1e-999",
    b"-0",
    b"0.0000000000000000000000000000001",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"18446744073709551616",
    b"2147483648",
    b"999999999999999999999999999999999999999999999999",
    b"null",
    b"true",
    b"NaN",
    b"[]",
    b"{}",
    b"\"\"",
    b",",
    b":",
    b"\"",
    b"\\",
    b"\n",
    b"\r\n",
    b"{\"a\":",
    b"9999-12-31T23:59:59.999999999-23:59",
    b"0000-01-01T00:00:00Z",
    b"2016-12-31T23:59:60Z",
    b"+10000-01-01T00:00:00Z",
    b"2025-06-20T12:00:00+24:00",
    b"urn:uuid:900e8400-e29b-41d4-a716-446655440000",
    b"\xffRE\xfe",
    b"QUIZSPL\n",
];

/// A new input out of the corpus.
pub(crate) fn input(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    if rng.u8(..) < 12 {
        return noise(rng);
    }
    let mut input = rng.choice(corpus).cloned().unwrap_or_default();
    // Many inputs with one fault, some with more, and a few as they are.
    let faults = *rng.choice(&[0, 1, 1, 1, 1, 1, 2, 2, 3, 4, 8]).unwrap_or(&1);
    for _ in 0..faults {
        damage(rng, &mut input, corpus);
        input.truncate(BYTES_MAX);
    }
    input
}

fn noise(rng: &mut Rng) -> Vec<u8> {
    let length = rng.usize(0..300);
    let alphabet: &[u8] = match rng.u8(0..3) {
        0 => b"{}[]\",:\\ 0123456789-+.eEtrufalsn\n",
        1 => b"\xff\xfeRE\0\x01\x10QUIZSPL\n",
        _ => return std::iter::repeat_with(|| rng.u8(..)).take(length).collect(),
    };
    std::iter::repeat_with(|| alphabet[rng.usize(..alphabet.len())])
        .take(length)
        .collect()
}

fn damage(rng: &mut Rng, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let at = rng.usize(..=input.len());
    let span = rng.usize(0..=64).min(input.len() - at);
    match rng.u8(0..14) {
        0 | 1 => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << rng.u8(0..8);
            }
        }
        2 => {
            if let Some(byte) = input.get_mut(at) {
                *byte = rng.u8(..);
            }
        }
        3 => input.truncate(at),
        4 => drop(input.drain(at..at + span)),
        5 => {
            let copy = input[at..at + span].to_vec();
            drop(input.splice(at..at, copy));
        }
        6 | 7 => {
            let piece = PIECES[rng.usize(..PIECES.len())];
            let replaced = if rng.bool() { span.min(piece.len()) } else { 0 };
            drop(input.splice(at..at + replaced, piece.iter().copied()));
        }
        8 => {
            let other = rng.choice(corpus).map(Vec::as_slice).unwrap_or_default();
            let from = rng.usize(..=other.len());
            let to = rng.usize(from..=other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..to]);
        }
        9 => {
            let open: &[u8] = if rng.bool() { b"[" } else { b"{\"a\":" };
            let nested = open.repeat(rng.usize(1..2_000));
            drop(input.splice(at..at, nested));
        }
        10 => {
            let copy = input.clone();
            for _ in 0..rng.usize(0..4) {
                input.extend_from_slice(&copy);
            }
        }
        11 => {
            if let Some(number) = input.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
                *number = match rng.u8(0..4) {
                    0 => u32::MAX,
                    1 => 0,
                    2 => rng.u32(0..4_096),
                    _ => rng.u32(..),
                }
                .to_le_bytes();
            }
        }
        12 => {
            let byte = rng.u8(..);
            input[at..at + span].fill(byte);
        }
        _ => {
            let filling = vec![rng.u8(..); rng.usize(0..5_000)];
            drop(input.splice(at..at, filling));
        }
    }
}
