//! Who this process runs as.

use std::fs;

/// The user's name in `/etc/passwd`, or its number where it has none there.
pub fn name() -> Result<String, String> {
    let status =
        fs::read_to_string("/proc/self/status").map_err(|e| format!("/proc/self/status: {e}"))?;
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let uid = effective_uid(&status).ok_or("/proc/self/status names no user")?;
    Ok(user_name(&passwd, uid).unwrap_or(uid).to_owned())
}

/// `Uid:` holds the real, effective, saved and file system's user id.
fn effective_uid(status: &str) -> Option<&str> {
    status
        .lines()
        .find_map(|line| line.strip_prefix("Uid:"))?
        .split_whitespace()
        .nth(1)
}

fn user_name<'a>(passwd: &'a str, uid: &str) -> Option<&'a str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1) == Some(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::{effective_uid, user_name};

    #[test]
    fn users_are_found_by_their_effective_number() {
        assert_eq!(
            effective_uid("Name:\tweft\nUid:\t0\t10001\t0\t0\n"),
            Some("10001")
        );
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nweft:*:10001:10001::/home/weft:/usr/sbin/nologin\n";
        assert_eq!(user_name(passwd, "10001"), Some("weft"));
        assert_eq!(user_name(passwd, "1"), None);
    }
}
