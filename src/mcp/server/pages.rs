//! Long lists in pages.

use rmcp::ErrorData as McpError;
use rmcp::model::PaginatedRequestParams;

/// Items on a page.
const PAGE: usize = 100;

/// The page that is asked for, and the cursor of the next.
///
/// # Errors
/// The cursor is not one that a list of this length gave.
pub(super) fn page<T>(
    items: Vec<T>,
    request: Option<&PaginatedRequestParams>,
) -> Result<(Vec<T>, Option<String>), McpError> {
    let cursor = request.and_then(|request| request.cursor.as_deref());
    let start = match cursor {
        None => 0,
        Some(cursor) => cursor
            .parse::<usize>()
            .ok()
            .filter(|start| *start > 0 && *start < items.len() && start % PAGE == 0)
            .ok_or_else(|| McpError::invalid_params("the cursor is not known: begin without one", None))?,
    };
    let next = (items.len() > start + PAGE).then(|| (start + PAGE).to_string());
    Ok((items.into_iter().skip(start).take(PAGE).collect(), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(cursor: &str) -> PaginatedRequestParams {
        PaginatedRequestParams::default().with_cursor(Some(cursor.to_owned()))
    }

    #[test]
    fn pages_joined_are_the_whole_list() {
        let items: Vec<usize> = (0..250).collect();
        let (mut all, mut next) = page(items.clone(), None).unwrap();
        while let Some(cursor) = next {
            let (more, after) = page(items.clone(), Some(&at(&cursor))).unwrap();
            all.extend(more);
            next = after;
        }
        assert_eq!(all, items);
    }

    #[test]
    fn a_cursor_that_was_never_given_is_refused() {
        for cursor in ["", "x", "-1", "0", "1", "300", "99999999999999999999"] {
            assert!(page((0..250).collect::<Vec<_>>(), Some(&at(cursor))).is_err(), "{cursor}");
        }
    }
}
