//! Property tests: no file panics the inspection, and each ends within the limits of its parser. The generators know the
//! structure of the formats, so that the changes reach the code behind the signatures.

use super::inspect_file;
use super::test_files::{
    COMPLETE_MODEL, build_complete_glb, build_glb_of_chunks, build_zip_of_one_entry, document_with_every_index_kind,
    encode_test_picture, jpeg_of_stated_size, jpeg_with_exif, png_of_stated_size,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// A number as attackers choose it: near a bound, or small.
fn hostile_number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..8_u64,
        (0..64_u32).prop_map(|shift| 1 << shift),
        (0..16_u64).prop_map(|below| u64::MAX - below),
        (0..16_u64).prop_map(|below| u64::from(u32::MAX) - below),
        1_000..1_100_u64,
    ]
}

/// A value in place of one in a document.
fn hostile_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => hostile_number().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!([])),
        1 => Just(json!({})),
        1 => Just(json!(-1)),
        1 => Just(json!(0.5)),
        1 => Just(json!("POSITION")),
    ]
}

/// The pointers of all values in a document.
fn pointers_of_values(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(list) => {
            for (index, item) in list.iter().enumerate() {
                pointers_of_values(item, &format!("{at}/{index}"), found);
            }
        }
        Value::Object(object) => {
            for (key, item) in object {
                pointers_of_values(item, &format!("{at}/{key}"), found);
            }
        }
        _ => {}
    }
}

/// Replaces, removes or repeats values of a document at random places.
fn mutate_document(changes: &[(Index, Option<Value>, bool)]) -> Value {
    let mut document = document_with_every_index_kind();
    for (place, value, repeat) in changes {
        let mut pointers = Vec::new();
        pointers_of_values(&document, "", &mut pointers);
        let pointer = place.get(&pointers);
        if *repeat && let Some(Value::Array(list)) = document.pointer_mut(pointer) {
            let again = list.clone();
            list.extend(again);
        } else if let Some(value) = value {
            *document.pointer_mut(pointer).expect("a value") = value.clone();
        } else if let Some((parent, key)) = pointer.rsplit_once('/')
            && let Some(Value::Object(object)) = document.pointer_mut(parent)
        {
            object.remove(key);
        }
    }
    document
}

/// Overwrites bytes at random places, and may cut the file off.
fn mutate_bytes(mut bytes: Vec<u8>, changes: &[(Index, u8)], cut: Option<Index>) -> Vec<u8> {
    for (place, byte) in changes {
        *place.get_mut(&mut bytes) = *byte;
    }
    if let Some(cut) = cut {
        bytes.truncate(cut.index(bytes.len()));
    }
    bytes
}

/// Inspects the bytes as each type. Fails if that panics, or if a reason is long.
fn inspect_as_every_type(bytes: &[u8]) {
    for export_type in ["glb", "gltf", "vrm", "zip", "fbx", "obj", "png", "jpg", "blend", "usdz"] {
        if let Err(error) = inspect_file(export_type, bytes) {
            assert!(error.to_string().chars().count() < 1_000, "{error}");
        }
    }
}

/// Byte changes of a file, and where it is cut off.
fn byte_changes() -> impl Strategy<Value = (Vec<(Index, u8)>, Option<Index>)> {
    (vec((any::<Index>(), any::<u8>()), 0..12), proptest::option::weighted(0.2, any::<Index>()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_glb_document_is_inspected_without_panic(
        changes in vec((any::<Index>(), proptest::option::weighted(0.8, hostile_value()), any::<bool>()), 1..6),
    ) {
        inspect_as_every_type(&build_complete_glb(&mutate_document(&changes)));
    }

    #[test]
    fn changed_glb_container_is_inspected_without_panic((changes, cut) in byte_changes()) {
        inspect_as_every_type(&mutate_bytes(COMPLETE_MODEL.to_vec(), &changes, cut));
    }

    #[test]
    fn any_json_in_a_glb_is_inspected_without_panic(text in "[\\[\\]{}:,\"a-z0-9 .\\-]{0,200}") {
        inspect_as_every_type(&build_glb_of_chunks(text.as_bytes(), &[]));
    }

    #[test]
    fn changed_zip_archive_is_inspected_without_panic(
        name in "[a-z./\\\\]{1,12}",
        content in vec(any::<u8>(), 0..200),
        (changes, cut) in byte_changes(),
    ) {
        inspect_as_every_type(&mutate_bytes(build_zip_of_one_entry(&name, &content), &changes, cut));
    }

    #[test]
    fn changed_picture_is_inspected_without_panic(is_png: bool, (changes, cut) in byte_changes()) {
        let format = if is_png { image::ImageFormat::Png } else { image::ImageFormat::Jpeg };
        inspect_as_every_type(&mutate_bytes(encode_test_picture(format), &changes, cut));
    }

    #[test]
    fn exif_segment_is_inspected_without_panic(
        is_little_endian: bool,
        offset in hostile_number(),
        entries in vec((any::<u16>(), 0..14_u16, hostile_number(), hostile_number()), 0..8),
        (changes, cut) in byte_changes(),
    ) {
        inspect_as_every_type(&mutate_bytes(jpeg_with_exif(&build_exif(is_little_endian, offset, &entries)), &changes, cut));
    }
}

proptest! {
    // Fewer, because pictures up to the limit are decoded.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn picture_of_any_stated_size_is_inspected_without_panic(
        (width, height) in (hostile_number(), hostile_number()),
        frame in 0xc0..=0xcf_u8,
    ) {
        let small = |number: u64| u16::try_from(number & 0xffff).expect("16 bits");
        inspect_as_every_type(&jpeg_of_stated_size(small(width), small(height), frame));
        let side = |number: u64| u32::try_from(number & 0xffff_ffff).expect("32 bits");
        inspect_as_every_type(&png_of_stated_size(side(width), side(height)));
    }
}

/// An EXIF segment with one directory of these entries: tag, type, count and value.
fn build_exif(is_little_endian: bool, offset: u64, entries: &[(u16, u16, u64, u64)]) -> Vec<u8> {
    let short = |number: u16| if is_little_endian { number.to_le_bytes() } else { number.to_be_bytes() };
    let long = |number: u64| {
        let number = u32::try_from(number & 0xffff_ffff).expect("32 bits");
        if is_little_endian { number.to_le_bytes() } else { number.to_be_bytes() }
    };
    let mut exif = if is_little_endian { b"II".to_vec() } else { b"MM".to_vec() };
    exif.extend(short(42));
    exif.extend(long(offset));
    exif.extend(short(u16::try_from(entries.len()).expect("few")));
    for (tag, kind, count, value) in entries {
        exif.extend([short(*tag), short(*kind)].concat());
        exif.extend([long(*count), long(*value)].concat());
    }
    exif
}
