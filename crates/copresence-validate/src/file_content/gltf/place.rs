//! Places in a glTF document, as JSON pointers (RFC 6901).

use super::InspectionError;
use std::fmt;

/// A location in the glTF document, written as a JSON Pointer in messages.
#[derive(Clone, Copy)]
pub(super) struct DocumentLocation<'a> {
    parent: Option<&'a DocumentLocation<'a>>,
    token: LocationSegment<'a>,
}

/// One segment of a location in the document: a property or an item.
#[derive(Clone, Copy)]
enum LocationSegment<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> DocumentLocation<'a> {
    /// The location of a property of the document's root, by its name.
    pub(super) fn root_property_location(name: &'a str) -> Self {
        Self { parent: None, token: LocationSegment::Key(name) }
    }

    /// The location of a property of the object at this location, by its name.
    pub(super) fn child_property_location(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), token: LocationSegment::Key(name) }
    }

    /// The location of the item of this list at `index`.
    pub(super) fn list_item_location(&'a self, index: usize) -> Self {
        Self { parent: Some(self), token: LocationSegment::Index(index) }
    }

    /// The error of an invalid value at this place.
    pub(super) fn invalid_value_error(&self, reason: impl fmt::Display) -> InspectionError {
        InspectionError::Invalid(format!("{self}: {reason}"))
    }
}

impl fmt::Display for DocumentLocation<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(formatter)?;
        }
        match self.token {
            LocationSegment::Key(name) if name.contains(['~', '/']) => {
                write!(formatter, "/{}", name.replace('~', "~0").replace('/', "~1"))
            }
            LocationSegment::Key(name) => write!(formatter, "/{name}"),
            LocationSegment::Index(index) => write!(formatter, "/{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_is_a_json_pointer() {
        let list = DocumentLocation::root_property_location("a/b~c");
        let item = list.list_item_location(3);
        assert_eq!(item.child_property_location("max").to_string(), "/a~1b~0c/3/max");
    }
}
