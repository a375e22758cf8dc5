//! The locale that the web view is given. Must not know what is shown.

/// The variable to be set to `C`, if there is one. WebKit reads its language out of the locale's name, knows plain `C`,
/// and takes `C.UTF-8` (the usual one in containers) for a language called "C": then every number format in the page
/// throws.
pub(crate) fn to_settle(
    all: Option<String>,
    ctype: Option<String>,
    lang: Option<String>,
) -> Option<&'static str> {
    let is_odd = |value: &str| value.starts_with("C.") || value.starts_with("POSIX.");
    match (all, ctype, lang) {
        (Some(all), ..) => is_odd(&all).then_some("LC_ALL"),
        (None, Some(ctype), _) => is_odd(&ctype).then_some("LC_CTYPE"),
        // The language alone stays as it is for everything else.
        (None, None, Some(lang)) => is_odd(&lang).then_some("LC_CTYPE"),
        (None, None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::to_settle;

    #[test]
    fn only_a_c_with_something_behind_it_is_settled() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(to_settle(None, None, None), None, "nothing said");
        assert_eq!(to_settle(None, None, some("C")), None, "plain C is known");
        assert_eq!(to_settle(None, None, some("de_DE.UTF-8")), None, "a language is kept");
        assert_eq!(to_settle(None, None, some("C.UTF-8")), Some("LC_CTYPE"), "the usual container");
        assert_eq!(
            to_settle(None, some("C.utf8"), some("de_DE.UTF-8")),
            Some("LC_CTYPE"),
            "LC_CTYPE decides"
        );
        assert_eq!(to_settle(some("C.UTF-8"), None, some("de_DE.UTF-8")), Some("LC_ALL"), "LC_ALL decides");
        assert_eq!(to_settle(some("en_US.UTF-8"), some("C.UTF-8"), None), None, "LC_ALL decides");
    }
}
