//! Places in a glTF document, as JSON pointers (RFC 6901).

use super::InspectionError;
use std::fmt;

/// A place in the document. Written out only for a message.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    token: Token<'a>,
}

#[derive(Clone, Copy)]
enum Token<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    /// The property of the document's root with this name.
    pub(super) fn at_root(name: &'a str) -> Self {
        Self { parent: None, token: Token::Key(name) }
    }

    /// The property of this object with this name.
    pub(super) fn key(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), token: Token::Key(name) }
    }

    /// The item of this list.
    pub(super) fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), token: Token::Index(index) }
    }

    /// The error of an invalid value at this place.
    pub(super) fn invalid(&self, reason: impl fmt::Display) -> InspectionError {
        InspectionError::Invalid(format!("{self}: {reason}"))
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(formatter)?;
        }
        match self.token {
            Token::Key(name) if name.contains(['~', '/']) => {
                write!(formatter, "/{}", name.replace('~', "~0").replace('/', "~1"))
            }
            Token::Key(name) => write!(formatter, "/{name}"),
            Token::Index(index) => write!(formatter, "/{index}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_is_a_json_pointer() {
        let list = Place::at_root("a/b~c");
        let item = list.index(3);
        assert_eq!(item.key("max").to_string(), "/a~1b~0c/3/max");
    }
}
