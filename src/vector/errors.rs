//! Gives every fault its SQLSTATE, which is pgvector's, and says what to do where that is not plain.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgSqlErrorCode, function_name};

use super::fault::Fault;

impl From<Fault> for ErrorReport {
    #[cold]
    fn from(fault: Fault) -> Self {
        let report = Self::new(sqlstate(&fault), fault.to_string(), function_name!());
        let report = match detail(&fault) {
            Some(detail) => report.set_detail(detail),
            None => report,
        };
        match hint(&fault) {
            Some(hint) => report.set_hint(hint),
            None => report,
        }
    }
}

pub(super) fn sqlstate(fault: &Fault) -> PgSqlErrorCode {
    match fault {
        Fault::DifferentDimensions { .. }
        | Fault::UndeclaredDimensions { .. }
        | Fault::UnevenRows { .. }
        | Fault::NoDimensions { .. }
        | Fault::NotANumber { .. }
        | Fault::Infinite { .. }
        | Fault::ReservedField { .. } => PgSqlErrorCode::ERRCODE_DATA_EXCEPTION,
        Fault::TooManyDimensions { .. } => PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        Fault::Syntax { .. } => PgSqlErrorCode::ERRCODE_INVALID_TEXT_REPRESENTATION,
        Fault::OutOfRange { .. } | Fault::Overflow | Fault::Underflow => {
            PgSqlErrorCode::ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE
        }
        Fault::Truncated => PgSqlErrorCode::ERRCODE_PROTOCOL_VIOLATION,
    }
}

pub(super) fn detail(fault: &Fault) -> Option<&'static str> {
    match fault {
        Fault::Syntax { detail, .. } => *detail,
        _ => None,
    }
}

pub(super) fn hint(fault: &Fault) -> Option<String> {
    match fault {
        Fault::DifferentDimensions { .. } => {
            Some("Both vectors must have the same number of dimensions; vector_dims() counts them.".to_owned())
        }
        Fault::UndeclaredDimensions { kind, actual, .. } => {
            Some(format!("Declare the type as {kind}({actual}), or as {kind} for any number of dimensions."))
        }
        Fault::UnevenRows { .. } => Some("All vectors of an aggregate must have the same dimensions.".to_owned()),
        Fault::Syntax { kind, .. } => Some(format!("A {kind} is written like \"[1,2.5,-3e-2]\".")),
        Fault::OutOfRange { kind: "halfvec", .. } => {
            Some("halfvec holds numbers up to 65504; use vector for greater ones.".to_owned())
        }
        _ => None,
    }
}
