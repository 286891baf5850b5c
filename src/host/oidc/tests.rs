//! Tokens, keys, descriptions and sign-ins that have begun, without a network; with one it is in `tests/it/oidc.rs`.

use super::describe::{Client, Description, NamesItself, endpoint};
use super::pending::{Begin, Pending, Return};
use super::token::{Claims, Expected, Keys};
use super::*;
use crate::host::authority::make_registry_key;
use crate::message::crypto::{self, HmacKey, PrivateKey, PublicKey, Signer};
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::json;

const ISSUER: &str = "https://login.example";
const CLIENT: &str = "console";
const NONCE: &str = "n-0S6_WzA2Mj";
const ACCESS: &str = "an access token";
const NOW_S: u64 = 1_800_000_000;

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_ms(seconds * 1000)
}

fn p256() -> PrivateKey {
    let pem = make_registry_key(at(NOW_S)).expect("a key").key;
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    PrivateKey::from_pkcs8(&STANDARD.decode(base64).expect("base64")).expect("PKCS #8")
}

fn ed25519(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32]).expect("a seed")
}

fn public(key: &PrivateKey) -> PublicKey {
    key.public_key().expect("a key")
}

fn jwk(kid: &str, key: &PrivateKey) -> Value {
    let public = public(key);
    let octets = public.octets();
    match key.algorithm() {
        crypto::Algorithm::EcdsaP256 => {
            let [x, y] = [&octets[1..33], &octets[33..]].map(|octets| BASE64URL.encode(octets));
            json!({"kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256", "x": x, "y": y})
        }
        _ => json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": BASE64URL.encode(octets)}),
    }
}

fn keys(keys: &[Value]) -> Keys {
    Keys::read(&serde_json::to_vec(&json!({"keys": keys})).expect("JSON")).expect("keys")
}

fn good() -> Value {
    json!({"iss": ISSUER, "sub": "24400320", "aud": CLIENT, "nonce": NONCE, "exp": NOW_S + 300, "iat": NOW_S, "auth_time": NOW_S - 5,
           "groups": ["staff"]})
}

/// The claims of a good token, with others in their place; `null` takes one away.
fn but(others: &Value) -> Value {
    let mut claims = good();
    for (name, value) in others.as_object().expect("claims") {
        claims[name] = value.clone();
    }
    claims.as_object_mut().expect("claims").retain(|_, value| !value.is_null());
    claims
}

fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64URL.encode(header.to_string()), BASE64URL.encode(claims.to_string()))
}

fn token(key: &PrivateKey, kid: &str, claims: &Value) -> String {
    let alg = if key.algorithm() == crypto::Algorithm::EcdsaP256 { "ES256" } else { "EdDSA" };
    let unsigned = unsigned(&json!({"alg": alg, "kid": kid, "typ": "JWT"}), claims);
    let signature = key.sign(unsigned.as_bytes()).expect("a signature");
    format!("{unsigned}.{}", BASE64URL.encode(signature))
}

fn expected() -> Expected<'static> {
    Expected { issuer: ISSUER, client_id: CLIENT, nonce: NONCE, access_token: Some(ACCESS), now: at(NOW_S) }
}

/// The word for why a token is refused, or "good".
fn verdict(token: &str, keys: &Keys) -> &'static str {
    Claims::verify(token, keys, &expected()).map_or_else(|error| error.word(), |_| "good")
}

#[test]
fn a_token_has_to_be_what_it_has_to_be() {
    let key = ed25519(1);
    let keys = keys(&[jwk("k", &key)]);
    let (skew, half) = (limits::OIDC_SKEW_MS / 1000, |octets: &[u8]| BASE64URL.encode(&crypto::sha512(octets)[..32]));
    for (others, word) in [
        (json!({}), "good"),
        (json!({"iss": "https://login.example/"}), "token-issuer"),
        (json!({"iss": "https://LOGIN.example"}), "token-issuer"),
        (json!({"iss": [ISSUER]}), "bad-token"),
        (json!({"iss": null}), "bad-token"),
        (json!({"sub": null}), "bad-token"),
        (json!({"sub": ""}), "bad-token"),
        (json!({"sub": "s".repeat(255)}), "good"),
        (json!({"sub": "s".repeat(256)}), "bad-token"),
        (json!({"aud": "other"}), "token-audience"),
        (json!({"aud": null}), "bad-token"),
        (json!({"aud": []}), "token-audience"),
        (json!({"aud": [CLIENT]}), "good"),
        (json!({"aud": ["other"]}), "token-audience"),
        (json!({"aud": [CLIENT, "other"]}), "token-party"),
        (json!({"aud": [CLIENT, "other"], "azp": CLIENT}), "good"),
        (json!({"aud": [CLIENT, "other"], "azp": "other"}), "token-party"),
        (json!({"azp": CLIENT}), "good"),
        (json!({"azp": "other"}), "token-party"),
        (json!({"nonce": "another"}), "token-nonce"),
        (json!({"nonce": null}), "token-nonce"),
        (json!({"exp": NOW_S - skew + 1}), "good"),
        (json!({"exp": NOW_S - skew}), "token-expired"),
        (json!({"exp": null}), "bad-token"),
        (json!({"exp": "never"}), "bad-token"),
        (json!({"iat": NOW_S + skew}), "good"),
        (json!({"iat": NOW_S + skew + 1}), "token-early"),
        (json!({"iat": null}), "bad-token"),
        (json!({"nbf": NOW_S + skew}), "good"),
        (json!({"nbf": NOW_S + skew + 1}), "token-early"),
        (json!({"nbf": "99999999999"}), "bad-token"),
        (json!({"at_hash": half(ACCESS.as_bytes())}), "good"),
        (json!({"at_hash": half(b"another")}), "token-hash"),
    ] {
        assert_eq!(verdict(&token(&key, "k", &but(&others)), &keys), word, "{others}");
    }
    let without_access = Expected { access_token: None, ..expected() };
    let hashed = token(&key, "k", &but(&json!({"at_hash": half(ACCESS.as_bytes())})));
    assert_eq!(Claims::verify(&hashed, &keys, &without_access).err().map(|error| error.word()), Some("token-hash"));
    let claims = Claims::verify(&token(&key, "k", &good()), &keys, &expected()).expect("good");
    assert_eq!((claims.sub.as_str(), claims.auth_time()), ("24400320", Some(at(NOW_S - 5))));
    assert_eq!(claims.others["groups"], json!(["staff"]));
}

#[test]
fn an_access_token_is_hashed_as_its_id_token_is_signed() {
    let key = p256();
    let hash = BASE64URL.encode(&crypto::sha256(ACCESS.as_bytes()).octets()[..16]);
    let keys = keys(&[jwk("k", &key)]);
    assert_eq!(verdict(&token(&key, "k", &but(&json!({"at_hash": hash}))), &keys), "good");
}

#[test]
fn what_is_not_signed_or_signed_with_a_shared_secret_is_refused() {
    let (elliptic, edwards) = (p256(), ed25519(1));
    let keys =
        keys(&[jwk("ec", &elliptic), jwk("ed", &edwards), json!({"kty": "oct", "kid": "oct", "k": BASE64URL.encode([7; 32])})]);
    for (alg, kid) in [("none", "ed"), ("None", "ed"), ("", "ed"), ("RS1", "ec"), ("ES384", "ec"), ("RS512", "ec")] {
        let unsigned = unsigned(&json!({"alg": alg, "kid": kid}), &good());
        for signature in ["", "AAAA"] {
            assert_eq!(verdict(&format!("{unsigned}.{signature}"), &keys), "not-signed", "{alg}");
        }
    }
    // With what everybody knows as the secret: the keys as octets, the way ring takes them; HMAC hashes what is longer than a block.
    let raw = <[u8; 32]>::try_from(public(&edwards).octets()).expect("32 octets");
    let hashed = *crypto::sha256(public(&elliptic).octets()).octets();
    for (kid, secret) in [("ed", raw), ("ec", hashed), ("oct", [7; 32])] {
        let unsigned = unsigned(&json!({"alg": "HS256", "kid": kid}), &good());
        let signature = BASE64URL.encode(HmacKey::new(&secret).tag(&[unsigned.as_bytes()]));
        assert_eq!(verdict(&format!("{unsigned}.{signature}"), &keys), "not-signed", "{kid}");
    }
    for form in ["", ".", "..", "a.b.c", "{}", "a.b.c.d.e"] {
        assert_eq!(verdict(form, &keys), "not-signed", "{form}");
    }
}

#[test]
fn a_key_is_found_by_its_name_and_fits_its_algorithm() {
    let (elliptic, one, other) = (p256(), ed25519(1), ed25519(2));
    let both = keys(&[jwk("1", &one), jwk("2", &other)]);
    assert_eq!(verdict(&token(&one, "1", &good()), &both), "good");
    assert_eq!(verdict(&token(&other, "2", &good()), &both), "good");
    assert_eq!(verdict(&token(&one, "2", &good()), &both), "bad-signature");
    assert_eq!(verdict(&token(&one, "3", &good()), &both), "unknown-key");
    // Which of two a token without a name means nobody knows; of one, or of one that fits, it is clear.
    let nameless = |key: &PrivateKey, alg: &str| {
        let unsigned = unsigned(&json!({"alg": alg}), &good());
        format!("{unsigned}.{}", BASE64URL.encode(key.sign(unsigned.as_bytes()).expect("a signature")))
    };
    assert_eq!(verdict(&nameless(&one, "EdDSA"), &both), "unknown-key");
    assert_eq!(verdict(&nameless(&one, "EdDSA"), &keys(&[jwk("1", &one), jwk("e", &elliptic)])), "good");
    assert_eq!(verdict(&nameless(&elliptic, "ES256"), &keys(&[jwk("1", &one), jwk("e", &elliptic)])), "good");
    // The algorithm is the key's, not the token's.
    for alg in ["RS256", "PS256", "ES256"] {
        let unsigned = unsigned(&json!({"alg": alg, "kid": "1"}), &good());
        let signature = BASE64URL.encode(one.sign(unsigned.as_bytes()).expect("a signature"));
        assert_eq!(verdict(&format!("{unsigned}.{signature}"), &both), "unknown-key", "{alg}");
    }
    for (member, value) in [
        ("use", json!("enc")),
        ("alg", json!("ES384")),
        ("key_ops", json!(["sign"])),
        ("crv", json!("P-384")),
        ("x", json!("AA")),
    ] {
        let mut key = jwk("1", &elliptic);
        key[member] = value;
        assert_eq!(verdict(&token(&elliptic, "1", &good()), &keys(&[key])), "unknown-key", "{member}");
    }
    // What is not known hinders nothing.
    let strange = [
        json!({"kty": "AKP", "kid": "1"}),
        json!(7),
        json!({"kid": 7}),
        json!({"kty": "EC", "crv": "X", "kid": "1", "x": "", "y": ""}),
    ];
    assert_eq!(verdict(&token(&one, "1", &good()), &keys(&[&strange[..], &[jwk("1", &one)]].concat())), "good");
}

#[test]
fn a_token_that_was_changed_is_refused() {
    let key = p256();
    let keys = keys(&[jwk("k", &key)]);
    let token = token(&key, "k", &good());
    let parts: Vec<&str> = token.split('.').collect();
    let payload = BASE64URL.encode(but(&json!({"sub": "another"})).to_string());
    assert_eq!(verdict(&[parts[0], &payload, parts[2]].join("."), &keys), "bad-signature");
    let header = BASE64URL.encode(json!({"alg": "ES256", "kid": "k"}).to_string());
    assert_eq!(verdict(&[&header, parts[1], parts[2]].join("."), &keys), "bad-signature");
    assert_eq!(verdict(&[parts[0], parts[1], &parts[2][2..]].join("."), &keys), "bad-signature");
    assert_eq!(verdict(&[parts[0], parts[1], ""].join("."), &keys), "bad-signature");
    // What must be understood is not (RFC 7515, section 4.1.11).
    let unsigned = unsigned(&json!({"alg": "ES256", "kid": "k", "crit": ["x"], "x": 1}), &good());
    let signature = BASE64URL.encode(key.sign(unsigned.as_bytes()).expect("a signature"));
    assert_eq!(verdict(&format!("{unsigned}.{signature}"), &keys), "bad-token");
}

#[test]
fn so_many_keys_are_looked_at_and_no_more() {
    let read = |count: usize| {
        let set = json!({"keys": vec![jwk("k", &ed25519(1)); count]});
        Keys::read(set.to_string().as_bytes()).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(read(limits::OIDC_KEYS_MAX), Ok(()));
    assert!(read(limits::OIDC_KEYS_MAX + 1).is_err_and(|told| told.ends_with("there are more than 100")));
    assert!(Keys::read(b"{}").is_err() && Keys::read(b"[]").is_err() && Keys::read(b"{\"keys\": {}}").is_err());
}

fn description(others: &Value) -> Value {
    let mut description = json!({
        "issuer": ISSUER, "authorization_endpoint": "https://login.example/auth", "token_endpoint": "https://login.example/token",
        "jwks_uri": "https://keys.example/jwks?v=2", "response_types_supported": ["code", "id_token"],
        "code_challenge_methods_supported": ["plain", "S256"], "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "id_token_signing_alg_values_supported": ["HS256", "RS256"],
    });
    for (name, value) in others.as_object().expect("members") {
        description[name] = value.clone();
    }
    description.as_object_mut().expect("members").retain(|_, value| !value.is_null());
    description
}

#[test]
fn a_description_is_that_of_the_issuer_and_says_what_is_needed() {
    let read =
        |others: &Value, issuer: &str| Description::read(description(others).to_string().as_bytes(), issuer, Client::Secret);
    for (others, told) in [
        (json!({"issuer": "https://login.example/"}), "another issuer than the configuration: \"https://login.example/\""),
        (json!({"issuer": null}), "issuer and endpoints are not all there"),
        (json!({"jwks_uri": null}), "issuer and endpoints are not all there"),
        (json!({"token_endpoint": "http://login.example/token"}), "token_endpoint is no https URL"),
        // A provider elsewhere has nothing to say about services of this machine.
        (json!({"token_endpoint": "http://127.0.0.1:8080/token"}), "token_endpoint is no https URL"),
        (json!({"authorization_endpoint": "javascript:alert(1)"}), "authorization_endpoint is no https URL"),
        (json!({"authorization_endpoint": "https://login.example/auth#x"}), "authorization_endpoint is no https URL"),
        (json!({"jwks_uri": "file:///etc/passwd"}), "jwks_uri is no https URL"),
        (json!({"userinfo_endpoint": "ftp://login.example"}), "userinfo_endpoint is no https URL"),
        (json!({"response_types_supported": ["id_token"]}), "response_types_supported has no \"code\""),
        (json!({"code_challenge_methods_supported": ["plain"]}), "code_challenge_methods_supported has no \"S256\""),
        (json!({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}), "has no \"client_secret_basic\""),
        (json!({"id_token_signing_alg_values_supported": ["HS256", "none"]}), "has none of RS256, PS256, ES256, EdDSA"),
    ] {
        let refused = read(&others, ISSUER).expect_err(told).to_string();
        assert!(refused.contains(told), "{refused}");
    }
    let good = read(&json!({}), ISSUER).expect("good");
    assert_eq!((good.keys.url.path.as_str(), good.user_info, good.names_itself), ("/jwks?v=2", None, NamesItself::Perhaps));
    let silent = json!({"response_types_supported": null, "code_challenge_methods_supported": null,
                        "token_endpoint_auth_methods_supported": null, "id_token_signing_alg_values_supported": null});
    assert!(read(&silent, ISSUER).is_ok());
    let names = read(&json!({"authorization_response_iss_parameter_supported": true}), ISSUER).expect("good");
    assert_eq!(names.names_itself, NamesItself::Always);
    let local = json!({"issuer": "http://127.0.0.1:3000", "token_endpoint": "http://127.0.0.1:3000/token"});
    assert!(read(&local, "http://127.0.0.1:3000").is_ok());
}

#[test]
fn a_description_is_found_behind_the_name_of_its_issuer() {
    for (issuer, path) in [
        ("https://login.example", "/.well-known/openid-configuration"),
        ("https://login.example/", "/.well-known/openid-configuration"),
        ("https://login.example/realms/town", "/realms/town/.well-known/openid-configuration"),
        ("https://login.example/realms/town/", "/realms/town/.well-known/openid-configuration"),
    ] {
        assert_eq!(Description::of(issuer).map(|at| at.url.path).as_deref(), Some(path));
    }
    assert!(endpoint("https://login.example/a?b=c d").is_none() && endpoint("https://login.example/a?b\r\nx: y").is_none());
}

fn came(begin: &Begin) -> Return {
    Return::parse(&format!("code=c&state={}", begin.state())).expect("a return")
}

#[test]
fn a_sign_in_is_taken_once_in_its_browser_and_in_time() {
    let pending = Pending::default();
    let begin = |seconds| {
        let begin = Begin::new(at(seconds)).expect("random");
        let (came, state) = (came(&begin), begin.state().to_owned());
        pending.keep(begin);
        (came, state)
    };
    let word = |taken: Result<Begin, OidcError>| taken.map_or_else(|error| error.word(), |_| "good");
    let (first, cookie) = begin(NOW_S);
    let (second, other) = begin(NOW_S);
    for wrong in [None, Some(""), Some(other.as_str())] {
        assert_eq!(word(pending.take(&first, wrong, at(NOW_S))), "other-browser");
    }
    assert_eq!(word(pending.take(&first, Some(&cookie), at(NOW_S))), "good");
    assert_eq!(word(pending.take(&first, Some(&cookie), at(NOW_S))), "unknown-state");
    let never = Return::parse("code=c&state=never").expect("a return");
    assert_eq!(word(pending.take(&never, Some("never"), at(NOW_S))), "unknown-state");
    let late = at(NOW_S).plus_ms(limits::OIDC_PENDING_MS + 1);
    assert_eq!(word(pending.take(&second, Some(&other), late)), "late");
    let (third, cookie) = begin(NOW_S);
    assert_eq!(word(pending.take(&third, Some(&cookie), at(NOW_S).plus_ms(limits::OIDC_PENDING_MS))), "good");
}

#[test]
fn so_many_sign_ins_are_pending_and_of_more_the_oldest_is_forgotten() {
    let pending = Pending::default();
    let mut all = Vec::new();
    for _ in 0..=limits::OIDC_PENDING_MAX {
        let begin = Begin::new(at(NOW_S)).expect("random");
        all.push(came(&begin));
        pending.keep(begin);
    }
    let taken = |came: &Return| pending.take(came, Some(&came.state), at(NOW_S)).map_or_else(|error| error.word(), |_| "good");
    assert_eq!((taken(&all[0]), taken(&all[1]), taken(&all[limits::OIDC_PENDING_MAX])), ("unknown-state", "good", "good"));
}

#[test]
fn what_somebody_comes_back_with_is_read_strictly() {
    let code = |query: &str| Return::parse(query).map(|came| came.code).map_err(|error| error.word());
    assert_eq!(code("code=a%20b&state=s&iss=https%3A%2F%2Flogin.example&session_state=x"), Ok(Ok("a b".to_owned())));
    assert_eq!(code("error=access_denied&error_description=No&state=s"), Ok(Err("access_denied".to_owned())));
    assert_eq!(code("error=%3Cscript%3E&state=s"), Ok(Err("an error that is no code".to_owned())));
    for wrong in
        ["", "code=a", "state=s", "code=&state=s", "code=a&code=b&state=s", "code=a&state=s&state=t", "code=a&error=b&state=s"]
    {
        assert_eq!(code(wrong), Err("bad-return"), "{wrong}");
    }
    let long = |octets: usize| format!("state=s&code={}", "c".repeat(octets - "state=s&code=".len()));
    assert!(code(&long(limits::OIDC_QUERY_BYTES_MAX)).is_ok());
    assert_eq!(code(&long(limits::OIDC_QUERY_BYTES_MAX + 1)), Err("bad-return"));
}

#[test]
fn a_challenge_is_the_hash_of_its_verifier() {
    // RFC 7636, appendix B.
    let mut begin = Begin::new(at(NOW_S)).expect("random");
    begin.verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
    assert_eq!(begin.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let other = Begin::new(at(NOW_S)).expect("random");
    for word in [&other.state, &other.nonce, &other.verifier] {
        assert!(word.len() == 43 && ![&begin.state, &begin.nonce, &begin.verifier].contains(&word), "{word}");
    }
}

/// A console awaits both in tasks that may move from thread to thread.
#[test]
fn what_is_awaited_can_be_sent() {
    fn is_send<T: Send>(_: &impl Fn() -> T) {}
    fn of(provider: &'static Provider, came: &'static Return) {
        is_send(&|| provider.begin(at(0)));
        is_send(&|| provider.finish(came, Begin::new(at(0)).expect("random"), at(0)));
    }
    let _: fn(&'static Provider, &'static Return) = of;
}

/// The document for operators has each of them.
#[test]
fn each_fault_has_a_row_in_the_document() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/console-sign-in.md")).expect("readable");
    let source = include_str!("fault.rs");
    let rows: Vec<&str> = source.lines().filter_map(|line| line.split_once("=> (\"")?.1.split('"').next()).collect();
    assert_eq!(rows.len(), 27);
    for word in rows {
        assert!(text.contains(&format!("| `{word}` |")), "{word} is not in the document");
    }
}
