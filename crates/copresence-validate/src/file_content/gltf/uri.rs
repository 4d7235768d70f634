//! URIs of buffers and images.

use percent_encoding::percent_decode_str;

/// Where the bytes of a buffer or image are: in the URI itself, or in another file.
pub(super) enum Uri {
    /// The data itself, with its media type in small letters.
    Data { media_type: String, bytes: Vec<u8> },
    /// The name of another file, decoded.
    External(String),
}

/// Parses a URI; the error says what is wrong.
pub(super) fn parse_uri(text: &str) -> Result<Uri, &'static str> {
    if text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:")) {
        let url = data_url::DataUrl::process(text).map_err(|_| "the data URI is not valid")?;
        let (bytes, _) = url.decode_to_vec().map_err(|_| "the data URI is not valid Base64")?;
        let mime = url.mime_type();
        return Ok(Uri::Data { media_type: format!("{}/{}", mime.type_, mime.subtype), bytes });
    }
    let name = percent_decode_str(text).decode_utf8().map_err(|_| "the URI is not valid")?;
    Ok(Uri::External(name.into_owned()))
}
