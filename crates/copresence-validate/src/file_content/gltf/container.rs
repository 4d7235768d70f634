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

/// The chunks of a GLB (binary glTF) file.
pub(super) struct Container<'a> {
    /// The JSON chunk.
    pub(super) json: &'a [u8],
    /// Where the JSON chunk begins, in bytes.
    pub(super) json_offset: usize,
    /// The binary chunk.
    pub(super) binary: Option<&'a [u8]>,
    /// What is unusual about the container.
    pub(super) notes: Vec<String>,
}

/// The error for a GLB container that is invalid at byte `offset`.
fn invalid_byte_error(offset: usize, reason: impl std::fmt::Display) -> InspectionError {
    InspectionError::Invalid(format!("byte {offset}: {reason}"))
}

/// Splits the container. Unknown chunks and bytes after the stated end are notes.
pub(super) fn split_container(bytes: &[u8]) -> Result<Container<'_>, InspectionError> {
    if !bytes.starts_with(b"glTF") {
        return Err(invalid_byte_error(0, describe_non_glb_beginning(bytes)));
    }
    let (Some(version), Some(total)) = (read_u32_little_endian(bytes, 4), read_u32_little_endian(bytes, 8)) else {
        return Err(invalid_byte_error(bytes.len(), "the file ends within its header"));
    };
    if version != 2 {
        return Err(invalid_byte_error(4, format_args!("the container is of version {version}, not 2")));
    }
    let total = total as usize;
    if total <= HEADER_LEN {
        return Err(invalid_byte_error(
            8,
            format_args!("the header says {total} bytes, which is shorter than the header"),
        ));
    }
    let mut chunks = ChunkReader { bytes, total, offset: HEADER_LEN, count: 0 };
    let mut notes = Vec::new();
    let (mut json, mut binary) = (None, None);
    while let Some(chunk) = chunks.read_next_chunk(&mut notes)? {
        match chunk.kind {
            JSON_CHUNK_TYPE if chunk.body.is_empty() => {
                return Err(invalid_byte_error(chunk.offset, "the JSON chunk is empty"));
            }
            JSON_CHUNK_TYPE if json.is_none() => json = Some((chunk.body, chunk.offset)),
            BINARY_CHUNK_TYPE if binary.is_none() && chunk.number > 1 => {
                return Err(invalid_byte_error(chunk.offset, "the binary chunk is not the second one"));
            }
            BINARY_CHUNK_TYPE if binary.is_none() => binary = Some(chunk.body),
            JSON_CHUNK_TYPE | BINARY_CHUNK_TYPE => {
                return Err(invalid_byte_error(chunk.offset, "a second chunk of the same type"));
            }
            kind => notes.push(format!("byte {}: a chunk of the unknown type 0x{kind:08x}", chunk.offset)),
        }
    }
    let (json, chunk_offset) = json.ok_or_else(|| invalid_byte_error(HEADER_LEN, "the file has no chunk"))?;
    Ok(Container { json, json_offset: chunk_offset.saturating_add(CHUNK_HEADER_LEN), binary, notes })
}

/// What a file is that does not begin like binary glTF.
fn describe_non_glb_beginning(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "the file is empty and does not start with `glTF`",
        [b'P', b'K', ..] => "this is a zip archive and does not start with `glTF`",
        [b'{' | b' ' | b'\n' | b'\r' | b'\t', ..] => "this looks like JSON and does not start with `glTF`",
        _ => "the file does not start with `glTF`",
    }
}

/// Reads the chunks of a container one after the other.
struct ChunkReader<'a> {
    bytes: &'a [u8],
    /// Length of the file as the header says.
    total: usize,
    offset: usize,
    count: usize,
}

/// A chunk of a GLB container: its type and its bytes.
struct GlbChunk<'a> {
    kind: u32,
    body: &'a [u8],
    /// Where its header begins.
    offset: usize,
    /// How many chunks are before it.
    number: usize,
}

impl<'a> ChunkReader<'a> {
    /// Reads the next chunk; `None` at the end of the container.
    fn read_next_chunk(&mut self, notes: &mut Vec<String>) -> Result<Option<GlbChunk<'a>>, InspectionError> {
        let Self { bytes, total, offset, count: number } = *self;
        if offset == bytes.len() || offset == total {
            if offset != total {
                return Err(invalid_byte_error(
                    8,
                    format_args!("the header says {total} bytes, but the file has {offset}"),
                ));
            }
            match bytes.len().saturating_sub(offset) {
                0 => {}
                extra => notes.push(format!("byte {offset}: {extra} bytes after the stated end of the file")),
            }
            return Ok(None);
        }
        let (Some(length), Some(kind)) =
            (read_u32_little_endian(bytes, offset), read_u32_little_endian(bytes, offset.saturating_add(4)))
        else {
            return Err(invalid_byte_error(bytes.len(), "the file ends within the header of a chunk"));
        };
        let length = length as usize;
        if !length.is_multiple_of(4) {
            return Err(invalid_byte_error(offset, "a chunk is not padded to four bytes"));
        }
        if number == 0 && kind != JSON_CHUNK_TYPE {
            return Err(invalid_byte_error(offset, "the first chunk is not JSON"));
        }
        let body_offset = offset.saturating_add(CHUNK_HEADER_LEN);
        let end = body_offset.saturating_add(length);
        if end > total {
            return Err(invalid_byte_error(
                offset,
                format_args!("a chunk of {length} bytes ends behind the {total} bytes that the header says"),
            ));
        }
        let body = bytes.get(body_offset..end);
        let body =
            body.ok_or_else(|| invalid_byte_error(bytes.len(), "the file ends within a chunk: a chunk is cut off"))?;
        self.offset = end;
        self.count = number.saturating_add(1);
        Ok(Some(GlbChunk { kind, body, offset, number }))
    }
}

/// Reads a little-endian number at an offset in bytes.
fn read_u32_little_endian(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}
