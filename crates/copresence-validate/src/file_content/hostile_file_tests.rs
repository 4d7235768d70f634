//! Files that attack the inspection: each gets a short verdict.

use super::test_files::{
    COMPLETE_MODEL, build_complete_glb, build_glb_of_chunks, build_zip_of_empty_entries, build_zip_of_one_entry,
    document_with_every_index_kind, gltf_with_shared_index_accessor, jpeg_of_stated_size, png_of_stated_size,
};
use super::{FileContent, InspectionError, inspect_file};
use serde_json::{Value, json};

fn inspect_document(document: &Value) -> Result<FileContent, InspectionError> {
    inspect_file("glb", &build_complete_glb(document))
}

fn invalid_reason(document: &Value) -> String {
    match inspect_document(document) {
        Err(InspectionError::Invalid(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

fn unexamined_reason(inspected: Result<FileContent, InspectionError>) -> String {
    match inspected {
        Err(InspectionError::NotExamined(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn complete_document_is_valid() {
    let content = inspect_file("glb", COMPLETE_MODEL).map(|content| content.describe_content());
    let described = "binary glTF: 3 vertices, 2 blendshapes, 3 textures (PNG 1 × 1, PNG 1 × 1, WebP 1 × 1), 2 joints, \
                     needs EXAMPLE_unknown, KHR_mesh_quantization";
    assert_eq!(content.as_deref(), Ok(described));
    assert_eq!(inspect_document(&document_with_every_index_kind()), inspect_file("glb", COMPLETE_MODEL));
}

#[test]
fn every_index_beyond_the_last_object_is_invalid() {
    for pointer in [
        "/scene",
        "/scenes/0/nodes/0",
        "/nodes/0/children/0",
        "/nodes/1/mesh",
        "/nodes/1/skin",
        "/nodes/2/extensions/KHR_lights_punctual/light",
        "/nodes/3/camera",
        "/skins/0/inverseBindMatrices",
        "/skins/0/joints/0",
        "/skins/0/skeleton",
        "/meshes/0/primitives/0/attributes/POSITION",
        "/meshes/0/primitives/0/attributes/NORMAL",
        "/meshes/0/primitives/0/indices",
        "/meshes/0/primitives/0/material",
        "/meshes/0/primitives/0/targets/0/POSITION",
        "/meshes/0/primitives/0/targets/0/NORMAL",
        "/meshes/0/primitives/0/extensions/KHR_materials_variants/mappings/0/material",
        "/meshes/0/primitives/0/extensions/KHR_materials_variants/mappings/0/variants/0",
        "/materials/0/pbrMetallicRoughness/baseColorTexture/index",
        "/materials/0/extensions/KHR_materials_clearcoat/clearcoatTexture/index",
        "/textures/0/source",
        "/textures/0/sampler",
        "/textures/1/extensions/EXT_texture_webp/source",
        "/images/0/bufferView",
        "/animations/0/channels/0/sampler",
        "/animations/0/channels/0/target/node",
        "/animations/0/samplers/0/input",
        "/animations/0/samplers/0/output",
        "/accessors/0/bufferView",
        "/accessors/17/sparse/indices/bufferView",
        "/accessors/17/sparse/values/bufferView",
        "/bufferViews/0/buffer",
    ] {
        for index in [4000_u32, u32::MAX] {
            let mut document = document_with_every_index_kind();
            *document.pointer_mut(pointer).expect(pointer) = json!(index);
            let reason = invalid_reason(&document);
            assert!(reason.contains(&format!("{index}, which does not exist")), "{pointer}: {reason}");
        }
    }
}

#[test]
fn numbers_near_the_largest_are_invalid() {
    let largest = u64::MAX - 11;
    for (object, name) in [
        ("/accessors/0", "byteOffset"),
        ("/accessors/0", "count"),
        ("/accessors/9", "byteOffset"),
        ("/accessors/9", "count"),
        // Behind a buffer view that is not the first: the sum with the view's offset wraps around.
        ("/accessors/11", "byteOffset"),
        ("/accessors/17/sparse", "count"),
        ("/accessors/17/sparse/indices", "byteOffset"),
        ("/accessors/17/sparse/values", "byteOffset"),
        ("/bufferViews/0", "byteOffset"),
        ("/bufferViews/0", "byteLength"),
        ("/buffers/0", "byteLength"),
    ] {
        for number in [largest, 1 << 63, u64::MAX - 511, u64::MAX] {
            let mut document = document_with_every_index_kind();
            document.pointer_mut(object).expect(object)[name] = json!(number);
            invalid_reason(&document);
        }
    }
    // Accessors without data are valid, however long they are: their data may be compressed.
    let mut document = document_with_every_index_kind();
    let mut huge = document["accessors"][0].clone();
    huge.as_object_mut().expect("an object").remove("bufferView");
    huge["count"] = json!(1_u64 << 63);
    let accessors = document["accessors"].as_array_mut().expect("a list");
    let first = accessors.len();
    accessors.extend([huge.clone(), huge]);
    let primitive = |positions: usize| json!({"attributes": {"POSITION": positions}});
    let primitives = json!([primitive(first), primitive(first + 1)]);
    document["meshes"].as_array_mut().expect("a list").push(json!({"primitives": primitives}));
    match inspect_document(&document) {
        Ok(FileContent::Glb(facts)) => assert_eq!(facts.vertices, u64::MAX),
        other => panic!("{other:?}"),
    }
}

#[test]
fn primitives_and_images_above_their_limits_are_not_examined() {
    let document = gltf_with_shared_index_accessor(12_000, 1_024);
    assert!(unexamined_reason(inspect_document(&document)).contains("12000 primitives, and at most 10000"));
    let mut document = document_with_every_index_kind();
    document["images"] = json!(vec![document["images"][0].clone(); 257]);
    assert!(unexamined_reason(inspect_document(&document)).contains("257 images, and at most 256"));
}

#[test]
fn accessors_over_the_same_bytes_have_a_limit() {
    const LENGTH: usize = 4 * 1024 * 1024;
    let mut document = gltf_with_shared_index_accessor(1, LENGTH);
    let accessor = document["accessors"][1].clone();
    document["accessors"].as_array_mut().expect("a list").extend(vec![accessor; 70]);
    let glb = build_glb_of_chunks(document.to_string().as_bytes(), &vec![0; LENGTH + 36]);
    let reason = unexamined_reason(inspect_file("glb", &glb));
    assert!(reason.contains("accessors overlap"), "{reason}");
}

#[test]
fn sparse_accessor_without_data_has_a_limit() {
    let mut document = document_with_every_index_kind();
    let mut accessor = document["accessors"][17].clone();
    accessor["count"] = json!(1_000_000_000);
    document["accessors"].as_array_mut().expect("a list").push(accessor);
    let reason = unexamined_reason(inspect_document(&document));
    assert!(reason.contains("accessors overlap"), "{reason}");
}

#[test]
fn long_chain_of_nodes_with_many_joints_is_inspected() {
    const NODES: usize = 100_000;
    let mut document = document_with_every_index_kind();
    let nodes = document["nodes"].as_array_mut().expect("a list");
    let first = nodes.len();
    nodes.extend((0..NODES).map(|index| json!({"children": [first + index + 1]})));
    nodes.push(json!({}));
    let joints: Vec<_> = (first..=first + NODES).collect();
    document["skins"].as_array_mut().expect("a list").push(json!({"joints": joints, "skeleton": first}));
    inspect_document(&document).expect("valid");
}

#[test]
fn json_above_its_limits_is_not_examined() {
    let mut long = document_with_every_index_kind().to_string().into_bytes();
    long.resize(17 * 1024 * 1024, b' ');
    assert!(
        unexamined_reason(inspect_file("glb", &build_glb_of_chunks(&long, &[0; 1024]))).contains("at most 16777216")
    );
    let with_list = |key: &str, item: &str, count: usize| {
        let list = vec![item; count].join(",");
        let text = document_with_every_index_kind().to_string().replacen('{', &format!("{{\"{key}\":[{list}],"), 1);
        unexamined_reason(inspect_file("glb", &build_glb_of_chunks(text.as_bytes(), &[0; 1024])))
    };
    for (key, item) in [("nodes", "{}"), ("materials", "{}"), ("unknown", "{\"a\":[{}]}")] {
        assert!(with_list(key, item, 200_001).contains("200000 objects"), "{key}");
    }
    assert!(with_list("extensionsUsed", "\"\"", 2_000_001).contains("2000000 values"));
}

#[test]
fn reasons_that_quote_a_document_are_short() {
    let mut document = document_with_every_index_kind();
    document["extensionsRequired"] = json!(["x".repeat(1_000_000)]);
    assert!(invalid_reason(&document).len() < 1_000);
}

#[test]
fn zip_archive_of_many_entries_has_a_short_verdict() {
    let archive = |entries: u32| build_zip_of_empty_entries((0..entries).map(|number| format!("{number}.txt")));
    assert!(unexamined_reason(inspect_file("zip", &archive(400_000))).contains("more than 100000 entries"));
    let many = archive(5_000);
    let listed = inspect_file("zip", &many).expect("valid").describe_content();
    assert_eq!(listed.matches(".txt").count(), 10, "{listed}");
    assert!(listed.ends_with("9.txt and 4990 more"), "{listed}");
    let error = inspect_file("fbx", &many).expect_err("no model").to_string();
    assert!(error.ends_with("9.txt and 4990 more"), "{error}");
    let long_names = build_zip_of_empty_entries((0..20).map(|number| format!("{number}{}", "x".repeat(60_000))));
    assert!(inspect_file("zip", &long_names).expect("valid").describe_content().len() < 2_000);
}

/// The directory lists the data of one entry many times, so that unpacking takes longer than the length suggests.
#[test]
fn zip_archive_whose_entries_overlap_is_invalid() {
    const NAME: &str = "a.bin";
    let archive = build_zip_of_one_entry(NAME, &(0..=255).collect::<Vec<u8>>());
    let position = |signature: &[u8]| archive.windows(4).position(|four| four == signature).expect("a record");
    let (directory, end) = (position(b"PK\x01\x02"), position(b"PK\x05\x06"));
    let entry = &archive[directory..end];
    let mut overlapping = archive[..directory].to_vec();
    for letter in *b"abcd" {
        let mut entry = entry.to_vec();
        entry[46] = letter;
        overlapping.extend(entry);
    }
    let mut record = archive[end..].to_vec();
    record[8..12].copy_from_slice(&[4, 0, 4, 0]);
    record[12..16].copy_from_slice(&u32::try_from(4 * entry.len()).expect("small").to_le_bytes());
    overlapping.extend(record);
    assert_eq!(inspect_file("zip", &overlapping), Err(InspectionError::Invalid("its entries overlap".to_owned())));
}

#[test]
fn picture_with_too_many_pixels_is_not_decoded() {
    let reason = unexamined_reason(inspect_file("png", &png_of_stated_size(16_384, 8_190)));
    assert!(reason.contains("16384 × 8190 pixels"), "{reason}");
    let reason = unexamined_reason(inspect_file("jpg", &jpeg_of_stated_size(5_000, 4_000, 0xc0)));
    assert!(reason.contains("a picture of at most 16777216 pixels"), "{reason}");
    let baseline = inspect_file("jpg", &jpeg_of_stated_size(2_600, 2_200, 0xc0));
    assert!(!matches!(baseline, Err(InspectionError::NotExamined(_))), "{baseline:?}");
    let reason = unexamined_reason(inspect_file("jpg", &jpeg_of_stated_size(2_600, 2_200, 0xc2)));
    assert!(reason.contains("a progressive JPEG of at most 5592405 pixels"), "{reason}");
}
