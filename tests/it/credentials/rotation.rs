//! Secrets that are replaced, and limits of the lifetime of tokens.

use serde_json::json;

use crate::harness::Program;

/// Writes the configuration file.
fn configure(program: &Program, file: &str) {
    std::fs::write(program.folder().join("scrollback.toml"), file).unwrap();
}

#[tokio::test]
async fn a_secret_is_replaced_without_refusing_a_token() {
    const OLD: &str = "the old secret, thirty-two bytes";
    const NEW: &str = "the new secret, thirty-two bytes";
    let program = Program::new();
    std::fs::write(program.folder().join("new"), format!("{NEW}\n")).unwrap();
    let old = format!("[auth]\njwt_secret = \"{OLD}\"\n");
    let new = "[[auth.jwt_secrets]]\nkid = \"2\"\nsecret_file = \"new\"\n";
    // Each server of a deployment in turn: the old one, both, the new one.
    let configurations =
        [(old.clone(), [true, false]), (format!("{old}{new}"), [true, true]), (new.into(), [false, true])];
    let mut tokens = Vec::new();
    for (file, _) in [&configurations[0], &configurations[2]] {
        configure(&program, file);
        let arguments = ["token", "--config", "scrollback.toml", "--user", "ada"];
        tokens.push(program.printed(&arguments).await.trim().to_owned());
    }
    assert_eq!(jsonwebtoken::decode_header(&tokens[1]).unwrap().kid.as_deref(), Some("2"));
    for (file, accepted) in configurations {
        configure(&program, &file);
        let server = program.serve(&["--config", "scrollback.toml"]).await;
        for (token, is_good) in tokens.iter().zip(accepted) {
            let answer = server.client("ada").with_token(token).run("{ viewer { id } }", json!({})).await;
            assert_eq!(answer.status.as_u16(), if is_good { 200 } else { 401 });
        }
    }
    // Tokens that live longer than they may are not signed.
    configure(&program, &format!("{old}max_lifetime = \"1h\"\n"));
    let refusal = program.refused(&["token", "--config", "scrollback.toml", "--user", "ada"]).await;
    assert!(refusal.contains("--expires-in must be at most 1h (`auth.max_lifetime`), is 1day"), "{refusal}");
}

#[tokio::test]
async fn invalid_secrets_are_refused_by_name() {
    let program = Program::new();
    let rotated = |entry: &str| format!("[[auth.jwt_secrets]]\n{entry}\n");
    let other = "secret = \"another secret, thirty-two bytes\"";
    for (file, told) in [
        (rotated(""), "`auth.jwt_secrets[0]` requires one of secret and secret_file"),
        (rotated("secret = \"short\""), "`auth.jwt_secrets[0].secret` must have at least 32 bytes, has 5"),
        (rotated("secret_file = \"nowhere\""), "cannot read `auth.jwt_secrets[0].secret_file`, nowhere"),
        (rotated("kidd = \"x\""), "did you mean `auth.jwt_secrets[0].kid`?"),
        (
            rotated(&format!("{other}\nsecret_file = \"nowhere\"")),
            "set only one of `auth.jwt_secrets[0].secret` and `auth.jwt_secrets[0].secret_file`",
        ),
        (
            rotated(&format!("kid = \"k\"\n{other}\n[[auth.jwt_secrets]]\nkid = \"k\"\n{other}")),
            "`auth.jwt_secrets[1].kid` is a duplicate: k",
        ),
        (
            rotated(&format!("issuer = \"us\"\n{other}")),
            "`auth.jwt_secrets[0].issuer` is not one of `auth.issuers`: us",
        ),
        (
            format!("{}[[auth.issuers]]\nissuer = \"us\"\njwt_{other}\n", rotated(other)),
            "`auth.jwt_secrets[0]` requires an issuer",
        ),
        (
            format!("[auth]\njwks_url = \"https://us.example\"\n{}", rotated(other)),
            "`auth.jwt_secrets[0]` is a secret of `auth`, whose key is not a secret",
        ),
        ("[auth]\nmax_lifetime = \"0s\"".into(), "`auth.max_lifetime`"),
    ] {
        configure(&program, &file);
        let refusal = program.refused(&["--config", "scrollback.toml", "--listen", "127.0.0.1:0"]).await;
        assert!(refusal.contains(told), "{file}: {refusal}");
        assert!(!refusal.contains("thirty-two"), "{refusal}");
    }
}
