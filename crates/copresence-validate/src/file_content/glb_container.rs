//! Splits a binary glTF file into its chunks.

use super::InspectionError;

/// Length of the container's header, in bytes.
const HEADER_LEN: usize = 12;
/// Length of a chunk's header, in bytes.
const CHUNK_HEADER_LEN: usize = 8;
/// Type of the JSON chunk.
const JSON_CHUNK_TYPE: u32 = 0x4e4f_534a;
/// Type of the binary chunk.
const BINARY_CHUNK_TYPE: u32 = 0x004e_4942;

/// Splits the container into the JSON chunk and the binary chunk, which is empty if there is none.
pub(super) fn split_chunks(bytes: &[u8]) -> Result<(&[u8], &[u8]), InspectionError> {
    if !bytes.starts_with(b"glTF") {
        return Err("it does not start with `glTF`".into());
    }
    let Some(chunks) = bytes.get(HEADER_LEN..) else {
        return Err("it ends within its header".into());
    };
    if read_u32(bytes, 4) != Some(2) {
        return Err("its container is not of version 2".into());
    }
    let stated = read_u32(bytes, 8).map(|length| length as usize);
    if stated != Some(bytes.len()) {
        let stated = stated.unwrap_or_default();
        return Err(format!("its header says {stated} bytes, but the file has {}", bytes.len()).into());
    }
    let (document, rest) = take_chunk_of_type(chunks, JSON_CHUNK_TYPE)?.ok_or("its first chunk is not JSON")?;
    if rest.is_empty() {
        return Ok((document, &[]));
    }
    let (binary, _) = take_chunk_of_type(rest, BINARY_CHUNK_TYPE)?.ok_or("its second chunk is not binary")?;
    Ok((document, binary))
}

/// The body of a chunk, and the bytes after the chunk.
type ChunkAndRest<'a> = Option<(&'a [u8], &'a [u8])>;

/// Reads the first chunk; `None` if it is of another type.
fn take_chunk_of_type(bytes: &[u8], kind: u32) -> Result<ChunkAndRest<'_>, InspectionError> {
    const CUT: &str = "a chunk is cut off";
    let length = read_u32(bytes, 0).ok_or(CUT)? as usize;
    if read_u32(bytes, 4).ok_or(CUT)? != kind {
        return Ok(None);
    }
    if !length.is_multiple_of(4) {
        return Err("a chunk is not padded to four bytes".into());
    }
    let body = bytes.get(CHUNK_HEADER_LEN..).and_then(|body| body.split_at_checked(length));
    Ok(Some(body.ok_or(CUT)?))
}

/// Reads a little-endian number at an offset in bytes.
fn read_u32(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}
