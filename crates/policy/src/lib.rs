//! The decision: (grant rules, request facts, now) → `Allow(Permit)` or `Deny(Denial)`. Pure and total.
//!
//! Must not know IO, clocks, async, HTTP types, or material. Only this crate can make a [`Permit`].
//!
//! A request is allowed only when *every* rule lets it pass; any rule can deny, none can overrule another, so the
//! order of checks decides the words of the reason and nothing else.
//!
//! A permit is spent, never copied:
//!
//! ```compile_fail
//! fn copies<T: Clone>() {}
//! copies::<claviger_policy::Permit>();
//! ```
#![deny(missing_docs)]

mod decision;
mod glob;
mod rules;
mod window;

pub use decision::{Decision, Denial, Permit, Reason};
pub use glob::Glob;
pub use rules::{Facts, GrantRules, RuleError, check_scope, decide, explain};
