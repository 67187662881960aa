//! Request bodies: read within limits, decompressed, and counted against one memory budget.

use std::io::Read;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use tokio::time::timeout;

use super::error::ApiError;
use super::state::Limits;

/// Bytes decompressed at a time, and the step in which memory is reserved for them.
const CHUNK_BYTES: usize = 64 * 1024;

/// A body in memory; its share of the budget is free again when it is dropped.
#[derive(Debug)]
pub(super) struct ReadBody {
    bytes: Bytes,
    _memory: Memory,
}

impl std::ops::Deref for ReadBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a request's body as its `Content-Encoding` says.
///
/// # Errors
/// If a limit is passed, the encoding is unknown, the stream breaks, or too many bodies are in memory already.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    limits: &Limits,
) -> Result<ReadBody, ApiError> {
    let encoding = Encoding::of(headers)?;
    let too_large = || ApiError::BodyTooLarge {
        limit_bytes: limits.wire_bytes_max,
        decompressed: false,
    };
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits.wire_bytes_max) {
        return Err(too_large());
    }
    let wire = timeout(limits.body_timeout, read_wire(body, limits))
        .await
        .map_err(|_| ApiError::BodyTimeout)??;
    if encoding == Encoding::Identity {
        return Ok(wire);
    }
    let limits = limits.clone();
    // Decompressing 64 MiB takes long enough to hold up every other request of this thread.
    tokio::task::spawn_blocking(move || encoding.decompress(&wire, &limits))
        .await
        .map_err(|error| ApiError::Internal(error.into()))?
}

async fn read_wire(mut body: Body, limits: &Limits) -> Result<ReadBody, ApiError> {
    let mut memory = Memory::new(&limits.memory_kib);
    let mut first = Bytes::new();
    let mut joined = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| ApiError::InvalidBody(format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len().max(joined.len()) + data.len() > limits.wire_bytes_max {
            return Err(ApiError::BodyTooLarge {
                limit_bytes: limits.wire_bytes_max,
                decompressed: false,
            });
        }
        memory.reserve(data.len())?;
        // A single event comes in one piece, which needs no copy.
        if first.is_empty() {
            first = data;
            continue;
        }
        if joined.is_empty() {
            joined.extend_from_slice(&first);
        }
        joined.extend_from_slice(&data);
    }
    let bytes = if joined.is_empty() {
        first
    } else {
        joined.into()
    };
    Ok(ReadBody {
        bytes,
        _memory: memory,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

impl Encoding {
    fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let Some(value) = headers.get(CONTENT_ENCODING) else {
            return Ok(Self::Identity);
        };
        match value
            .to_str()
            .map(|name| name.trim().to_ascii_lowercase())
            .as_deref()
        {
            Ok("" | "identity") => Ok(Self::Identity),
            Ok("gzip" | "x-gzip") => Ok(Self::Gzip),
            Ok("zstd") => Ok(Self::Zstd),
            _ => Err(ApiError::UnsupportedEncoding),
        }
    }

    fn decompress(self, wire: &[u8], limits: &Limits) -> Result<ReadBody, ApiError> {
        let broken = |error: std::io::Error| {
            ApiError::InvalidBody(format!("the body cannot be decompressed: {error}"))
        };
        let mut reader: Box<dyn Read + '_> = match self {
            Self::Identity => Box::new(wire),
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(wire)),
            Self::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(wire).map_err(broken)?),
        };
        let mut memory = Memory::new(&limits.memory_kib);
        let mut bytes = Vec::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = reader.read(&mut chunk).map_err(broken)?;
            if read == 0 {
                return Ok(ReadBody {
                    bytes: bytes.into(),
                    _memory: memory,
                });
            }
            if bytes.len() + read > limits.body_bytes_max {
                return Err(ApiError::BodyTooLarge {
                    limit_bytes: limits.body_bytes_max,
                    decompressed: true,
                });
            }
            memory.reserve(read)?;
            bytes.extend_from_slice(&chunk[..read]);
        }
    }
}

/// A share of the memory that all bodies have together, reserved in kibibytes.
#[derive(Debug)]
struct Memory {
    budget: Arc<Semaphore>,
    reserved: Option<OwnedSemaphorePermit>,
    used_bytes: usize,
}

impl Memory {
    fn new(budget: &Arc<Semaphore>) -> Self {
        Self {
            budget: Arc::clone(budget),
            reserved: None,
            used_bytes: 0,
        }
    }

    fn reserve(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.used_bytes += bytes;
        let reserved_kib = self
            .reserved
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let missing_kib = self.used_bytes.div_ceil(1024).saturating_sub(reserved_kib);
        if missing_kib == 0 {
            return Ok(());
        }
        let missing_kib = u32::try_from(missing_kib).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.budget)
            .try_acquire_many_owned(missing_kib)
            .map_err(|error| match error {
                TryAcquireError::NoPermits | TryAcquireError::Closed => ApiError::Overloaded,
            })?;
        match &mut self.reserved {
            Some(reserved) => reserved.merge(more),
            None => self.reserved = Some(more),
        }
        Ok(())
    }
}
