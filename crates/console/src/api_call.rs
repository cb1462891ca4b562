//! The call of the API that a page stands for, as a command to paste. It never holds a secret: the shell puts it in.

use serde_json::Value;

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct ApiCall {
    /// What it does.
    pub(crate) title: &'static str,
    /// The command.
    pub(crate) command: String,
}

impl ApiCall {
    /// A call without a body.
    pub(crate) fn new(title: &'static str, method: &str, path: &str) -> Self {
        let method = if method == "GET" { String::new() } else { format!(" -X {method}") };
        Self {
            title,
            command: format!(
                "curl -sS{method} -H \"X-Auth-Token: $CLAVIGER_SECRET/$CLAVIGER_CLIENT_ID\" \\\n  \"$CLAVIGER_URL{path}\""
            ),
        }
    }

    /// A call that only a person can make, with the cookie of a session.
    pub(crate) fn as_person(title: &'static str, method: &str, path: &str) -> Self {
        let method = if method == "GET" { String::new() } else { format!(" -X {method} -H \"Origin: $CLAVIGER_URL\"") };
        Self {
            title,
            command: format!(
                "curl -sS{method} -H \"Cookie: __Host-claviger_session=$CLAVIGER_SESSION\" \\\n  \"$CLAVIGER_URL{path}\""
            ),
        }
    }

    /// The same with a body.
    pub(crate) fn as_person_with_body(title: &'static str, method: &str, path: &str, body: &Value) -> Self {
        Self::as_person(title, method, path).and_body(body)
    }

    /// The same with a body that holds secrets, and is read from a file.
    pub(crate) fn reading_body(mut self) -> Self {
        self.command.push_str(" \\\n  -H 'Content-Type: application/json' \\\n  -d @body.json");
        self
    }

    /// A call with a body.
    pub(crate) fn with_body(title: &'static str, method: &str, path: &str, body: &Value) -> Self {
        Self::new(title, method, path).and_body(body)
    }

    fn and_body(mut self, body: &Value) -> Self {
        // An apostrophe ends the quotation of a shell.
        let body = body.to_string().replace('\'', r"'\''");
        self.command.push_str(&format!(" \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_be_pasted() {
        let call = ApiCall::with_body("Make", "POST", "/v1/x", &serde_json::json!({"name": "a'b"}));
        assert!(call.command.starts_with("curl -sS -X POST -H \"X-Auth-Token: $CLAVIGER_SECRET/$CLAVIGER_CLIENT_ID\""));
        assert!(call.command.ends_with(r#"-d '{"name":"a'\''b"}'"#));
    }
}
