//! How what went wrong becomes a PostgreSQL error: SQLSTATE, message, DETAIL, HINT.

use std::fmt::Display;

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;

/// The result of a SQL function that may refuse its input.
///
/// pgrx recognises it by its name when it reads a function's signature.
pub type Result<T, E = ErrorReport> = std::result::Result<T, E>;

/// An error with its SQLSTATE and message.
pub fn report(code: PgSqlErrorCode, message: impl Into<String>) -> ErrorReport {
    ErrorReport::new(code, message.into(), "memory_profile")
}

/// 22023: a parameter has a value that the function does not take.
pub fn invalid_parameter(message: impl Into<String>) -> ErrorReport {
    report(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message)
}

/// 22023 with the cause as DETAIL.
pub fn invalid_parameter_because(message: impl Into<String>, cause: impl Display) -> ErrorReport {
    invalid_parameter(message).set_detail(cause.to_string())
}

/// 54000: an input is larger than the limit.
pub fn too_large(message: impl Into<String>) -> ErrorReport {
    report(PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED, message)
}

/// XX000: what should not have happened.
pub fn internal(cause: impl Display) -> ErrorReport {
    report(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, cause.to_string())
}
