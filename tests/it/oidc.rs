//! Signing in by OpenID Connect: at a provider that is not ours, and at ones that do what none should.

use crate::folder::Folder;
use crate::tool::{Program, free_port, root};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64URL};
use oncegate::base::limits;
use oncegate::base::time::UnixTime;
use oncegate::host::authority::make_root;
use oncegate::host::config::{Duty, Oidc};
use oncegate::host::oidc::{Begin, OidcError, Pending, Provider, Return, SignedIn};
use oncegate::message::crypto::{PrivateKey, Signer, sha256};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SECRET: &str = "a:secret%2F of+some/length&=?";
const ROLES: &str = "[roles]\naudit-office = [\"auditor\", \"security\"]\nstaff = [\"desk\"]\n";

fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    UnixTime::from_ms(u64::try_from(since.as_millis()).expect("before the year 584 million"))
}

/// What such a section becomes; what it says comes before the roles.
fn provider(folder: &Path, section: &str, redirect: &str) -> Provider {
    let authorities = folder.join("root.pem");
    if !authorities.exists() {
        fs::write(&authorities, make_root("test", now()).expect("a root").certificate).expect("writable");
    }
    let settings = Oidc::parse(&format!("{section}\n{ROLES}"), folder, authorities).unwrap_or_else(|(_, what)| panic!("{what}"));
    Provider::open(settings, redirect).unwrap_or_else(|why| panic!("{why}"))
}

/// A parameter of a URL's query, decoded.
fn parameter(url: &str, name: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut octets = Vec::new();
    let mut rest = value.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            octet => octet,
        });
    }
    String::from_utf8(octets).ok()
}

fn word<T>(outcome: &Result<T, OidcError>) -> &'static str {
    outcome.as_ref().map_or_else(OidcError::word, |_| "good")
}

/// The provider that is not ours, and the folder of those who sign in at it.
struct Foreign {
    folder: Folder,
    issuer: String,
    redirect: String,
    other_redirect: String,
    _program: Program,
}

impl Foreign {
    fn start(claims: &str) -> Self {
        let modules = root().join("target/peers/node/node_modules");
        assert!(modules.join("oidc-provider").exists(), "the peers are not installed yet: run tests/run once");
        let (port, back) = (free_port(), free_port());
        let [redirect, other_redirect] = ["callback", "elsewhere"].map(|path| format!("http://127.0.0.1:{back}/{path}"));
        let mut command = Command::new("node");
        command.env("NODE_PATH", modules).arg(root().join("tests/peers/oidc.js"));
        command.args([&port.to_string(), &redirect, claims, &other_redirect]);
        let program = Program::start(command, port);
        Self { folder: Folder::new(), issuer: format!("http://127.0.0.1:{port}"), redirect, other_redirect, _program: program }
    }

    /// A console that is this client there, and sends people back to this URL.
    fn client(&self, client_id: &str, redirect: &str) -> Provider {
        let secret = if client_id == "console" { "client_secret_file = \"secret\"" } else { "" };
        fs::write(self.folder.path().join("secret"), format!("{SECRET}\n")).expect("writable");
        let scopes = "scopes = \"openid profile email groups\"";
        let section = format!("issuer = \"{}\"\nclient_id = \"{client_id}\"\n{secret}\n{scopes}", self.issuer);
        provider(self.folder.path(), &section, redirect)
    }

    /// Where a browser ends up that is sent to a URL and does what it is told.
    fn browse(&self, url: &str) -> String {
        let jar = self.folder.path().join("cookies");
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--location", "--max-redirs", "20", "--max-time", "30", "--output", "/dev/null"]);
        curl.arg("--cookie").arg(&jar).arg("--cookie-jar").arg(&jar).args(["--write-out", "%{url_effective}", url]);
        // Nobody listens where people are sent back to: that curl fails there is as it should be.
        let output = curl.output().expect("curl starts");
        String::from_utf8(output.stdout).expect("a URL")
    }

    /// Begins and comes back.
    async fn come_back(&self, console: &Provider) -> (Begin, Return) {
        let (url, begin) = console.begin(now()).await.unwrap_or_else(|why| panic!("{why}"));
        let back = self.browse(&url);
        let query = back.strip_prefix(&format!("{}?", self.redirect)).unwrap_or_else(|| panic!("{back}")).to_owned();
        (begin, Return::parse(&query).expect("a return"))
    }

    /// What comes back with the code of one sign-in and the state of another.
    async fn mixed(&self, console: &Provider, code_of: &str) -> (Begin, Return) {
        let (_, begin) = console.begin(now()).await.unwrap_or_else(|why| panic!("{why}"));
        let query = format!("code={code_of}&state={}&iss={}", begin.state(), self.issuer);
        (begin, Return::parse(&query).expect("a return"))
    }
}

fn is_maria(signed_in: &SignedIn, issuer: &str) {
    assert_eq!((signed_in.issuer(), signed_in.subject()), (issuer, "maria"));
    assert_eq!((signed_in.name(), signed_in.email()), (Some("Мария Иванова"), Some("maria@town.example")));
    assert_eq!(signed_in.groups(), ["audit-office", "choir"]);
    let roles: Vec<Duty> = signed_in.roles().iter().copied().collect();
    assert_eq!(roles, [Duty::Auditor, Duty::Security]);
}

#[tokio::test]
async fn people_sign_in_at_a_provider_that_is_not_ours() {
    for claims in ["userinfo", "token"] {
        let foreign = Foreign::start(claims);
        for client_id in ["console", "RS256", "PS256", "ES256", "EdDSA"] {
            let (console, pending) = (foreign.client(client_id, &foreign.redirect), Pending::default());
            let (begin, came) = foreign.come_back(&console).await;
            let cookie = begin.state().to_owned();
            pending.keep(begin);
            let begin = pending.take(&came, Some(&cookie), now()).expect("it was begun");
            let signed_in = console.finish(&came, begin, now()).await;
            is_maria(&signed_in.unwrap_or_else(|why| panic!("{client_id}, claims in {claims}: {why}")), &foreign.issuer);
            assert_eq!(word(&pending.take(&came, Some(&cookie), now())), "unknown-state");
        }
    }
}

#[tokio::test]
async fn a_provider_that_is_not_ours_refuses_what_it_has_to() {
    let foreign = Foreign::start("token");
    let console = foreign.client("console", &foreign.redirect);
    let refused = |outcome: Result<SignedIn, OidcError>| outcome.map(|_| ()).map_err(|why| why.to_string());
    let invalid_grant = Err("the provider gives no token for its code: invalid_grant".to_owned());
    let code = async || {
        let (url, begin) = console.begin(now()).await.unwrap_or_else(|why| panic!("{why}"));
        (parameter(&foreign.browse(&url), "code").expect("a code"), begin)
    };
    // The same code again.
    let (used, begin) = code().await;
    let query = format!("code={used}&state={}&iss={}", begin.state(), foreign.issuer);
    let first = console.finish(&Return::parse(&query).expect("a return"), begin, now()).await;
    is_maria(&first.unwrap_or_else(|why| panic!("{why}")), &foreign.issuer);
    let (begin, came) = foreign.mixed(&console, &used).await;
    assert_eq!(refused(console.finish(&came, begin, now()).await), invalid_grant);
    // A code that was stolen on its way, with the verifier of another sign-in.
    let (stolen, _) = code().await;
    let (begin, came) = foreign.mixed(&console, &stolen).await;
    assert_eq!(refused(console.finish(&came, begin, now()).await), invalid_grant);
    // Another URL to come back to than it was begun with.
    let (begin, came) = foreign.come_back(&console).await;
    let elsewhere = foreign.client("console", &foreign.other_redirect);
    assert_eq!(refused(elsewhere.finish(&came, begin, now()).await), invalid_grant);
    // One that the provider does not know: nobody is sent there.
    let strange = foreign.client("console", "http://127.0.0.1:9/strange");
    let (url, _) = strange.begin(now()).await.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(foreign.browse(&url), url);
    // Another secret.
    let (begin, came) = foreign.come_back(&console).await;
    let section = format!("issuer = \"{}\"\nclient_id = \"console\"\nclient_secret_file = \"other\"", foreign.issuer);
    fs::write(foreign.folder.path().join("other"), "another\n").expect("writable");
    let impostor = provider(foreign.folder.path(), &section, &foreign.redirect);
    let told = refused(impostor.finish(&came, begin, now()).await);
    assert_eq!(told, Err("the provider gives no token for its code: invalid_client".to_owned()));
    // Whoever is not let in comes back with an error.
    let closed = foreign.client("nobody", &foreign.redirect);
    let (begin, came) = foreign.come_back(&closed).await;
    let told = refused(closed.finish(&came, begin, now()).await);
    assert_eq!(told, Err("the provider did not sign the person in: access_denied".to_owned()));
}

/// A provider of ours that says what a test has it say.
struct Fake {
    folder: Folder,
    issuer: String,
    key: PrivateKey,
    answers: Arc<Mutex<BTreeMap<&'static str, Answer>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
enum Answer {
    /// The head, without the length, and the body.
    Whole(&'static str, Vec<u8>),
    /// Nothing, ever; and no clock but that of the deadline runs any more.
    Silence,
}

const JSON: &str = "200 OK\r\nContent-Type: application/json; charset=utf-8";

impl Fake {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let key = PrivateKey::from_seed(&[7; 32]).expect("a seed");
        let this = Self { folder: Folder::new(), issuer, key, answers: Arc::default(), asked: Arc::default() };
        let (answers, asked) = (Arc::clone(&this.answers), Arc::clone(&this.asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&answers), Arc::clone(&asked)));
            }
        });
        this.says("/.well-known/openid-configuration", this.description(&json!({})));
        this.says("/jwks", this.jwks("k"));
        this
    }

    fn description(&self, others: &Value) -> Value {
        let at = |path: &str| format!("{}/{path}", self.issuer);
        let mut all = json!({"issuer": self.issuer, "authorization_endpoint": at("auth"), "token_endpoint": at("token"),
                             "jwks_uri": at("jwks"), "userinfo_endpoint": at("me")});
        for (name, value) in others.as_object().expect("members") {
            all[name] = value.clone();
        }
        all
    }

    fn jwks(&self, kid: &str) -> Value {
        let public = self.key.public_key().expect("a key");
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": BASE64URL.encode(public.octets())}]})
    }

    fn says(&self, path: &'static str, said: Value) {
        self.answers(path, Answer::Whole(JSON, said.to_string().into_bytes()));
    }

    fn answers(&self, path: &'static str, answer: Answer) {
        self.answers.lock().expect("whole").insert(path, answer);
    }

    /// How often it was asked for a path.
    fn times(&self, path: &str) -> usize {
        self.asked.lock().expect("whole").iter().filter(|request| request.split(' ').nth(1) == Some(path)).count()
    }

    fn console(&self) -> Provider {
        let section = format!("issuer = \"{}\"\nclient_id = \"console\"", self.issuer);
        provider(self.folder.path(), &section, "https://gateway.example/callback")
    }

    /// A token for a sign-in, with other claims in place of these.
    fn token(&self, kid: &str, nonce: &str, at: UnixTime, others: &Value) -> String {
        let seconds = at.as_ms() / 1000;
        let mut claims = json!({"iss": self.issuer, "sub": "maria", "aud": "console", "nonce": nonce, "exp": seconds + 300, "iat": seconds,
                                "name": "Maria", "groups": "staff"});
        for (name, value) in others.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        claims.as_object_mut().expect("claims").retain(|_, value| !value.is_null());
        let header = json!({"alg": "EdDSA", "kid": kid});
        let unsigned = [header, claims].map(|part| BASE64URL.encode(part.to_string())).join(".");
        format!("{unsigned}.{}", BASE64URL.encode(self.key.sign(unsigned.as_bytes()).expect("a signature")))
    }

    /// Begins at a time and comes back with a code; what the provider gives for it is what the test gives for the nonce.
    async fn sign_in(
        &self,
        console: &Provider,
        at: UnixTime,
        tokens: impl Fn(&str) -> Option<Value>,
    ) -> Result<SignedIn, OidcError> {
        let (url, begin) = console.begin(at).await?;
        if let Some(said) = tokens(&parameter(&url, "nonce").expect("a nonce")) {
            self.says("/token", said);
        }
        let came = Return::parse(&format!("code=the%20code&state={}", begin.state())).expect("a return");
        console.finish(&came, begin, at).await
    }

    /// The same, with a token that is good but for these claims.
    async fn sign_in_with(&self, console: &Provider, at: UnixTime, kid: &str, others: &Value) -> Result<SignedIn, OidcError> {
        let tokens = |nonce: &str| {
            Some(
                json!({"token_type": "Bearer", "access_token": "an access token", "id_token": self.token(kid, nonce, at, others)}),
            )
        };
        self.sign_in(console, at, tokens).await
    }
}

/// Reads one request and answers it.
async fn answer(mut stream: TcpStream, answers: Arc<Mutex<BTreeMap<&'static str, Answer>>>, asked: Arc<Mutex<Vec<String>>>) {
    let (mut octets, mut piece) = (Vec::new(), [0; 4096]);
    let request = loop {
        let count = stream.read(&mut piece).await.unwrap_or(0);
        octets.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&octets).into_owned();
        let declared = |head: &str| {
            head.lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
                .unwrap_or(0)
        };
        match text.split_once("\r\n\r\n") {
            Some((head, body)) if body.len() >= declared(head) => break text,
            _ if count == 0 => return,
            _ => {}
        }
    };
    let path = request.split(' ').nth(1).unwrap_or("").to_owned();
    asked.lock().expect("whole").push(request);
    let found = answers.lock().expect("whole").get(path.as_str()).cloned();
    let (head, body) = match found.unwrap_or(Answer::Whole("404 Not Found", Vec::new())) {
        Answer::Whole(head, body) => (head, body),
        Answer::Silence => {
            tokio::time::pause();
            return std::future::pending().await;
        }
    };
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
    let _ = stream.shutdown().await;
}

#[tokio::test]
async fn what_the_provider_is_asked_is_what_the_specifications_have() {
    let fake = Fake::start().await;
    let console = fake.console();
    let (url, begin) = console.begin(now()).await.expect("it begins");
    assert!(url.starts_with(&format!("{}/auth?", fake.issuer)), "{url}");
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "console"),
        ("redirect_uri", "https://gateway.example/callback"),
        ("scope", "openid profile email"),
        ("state", begin.state()),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(parameter(&url, name).as_deref(), Some(value), "{name}");
    }
    let (nonce, challenge) = (parameter(&url, "nonce").expect("a nonce"), parameter(&url, "code_challenge").expect("one"));
    fake.says("/token", json!({"id_token": fake.token("k", &nonce, now(), &json!({}))}));
    let came = Return::parse(&format!("code=the%20code&state={}", begin.state())).expect("a return");
    let signed_in = console.finish(&came, begin, now()).await.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((signed_in.name(), signed_in.email(), signed_in.groups()), (Some("Maria"), None, &["staff".to_owned()][..]));
    assert_eq!((signed_in.roles().iter().next(), signed_in.auth_time()), (Some(&Duty::Desk), None));
    let asked = fake.asked.lock().expect("whole").clone();
    let request = asked.iter().find(|request| request.starts_with("POST /token HTTP/1.1\r\n")).expect("it was asked");
    let (head, body) = request.split_once("\r\n\r\n").expect("head and body");
    assert!(head.contains("content-type: application/x-www-form-urlencoded") && !head.contains("authorization"), "{head}");
    let form = format!("?{body}");
    for (name, value) in [
        ("grant_type", "authorization_code"),
        ("code", "the code"),
        ("redirect_uri", "https://gateway.example/callback"),
        ("client_id", "console"),
    ] {
        assert_eq!(parameter(&form, name).as_deref(), Some(value), "{name}");
    }
    let verifier = parameter(&form, "code_verifier").expect("a verifier");
    assert_eq!(BASE64URL.encode(sha256(verifier.as_bytes()).octets()), challenge);
    // A client with a secret says it in the head, encoded before it is joined.
    fs::write(fake.folder.path().join("secret"), SECRET).expect("writable");
    let section = format!("issuer = \"{}\"\nclient_id = \"the console\"\nclient_secret_file = \"secret\"", fake.issuer);
    let console = provider(fake.folder.path(), &section, "https://gateway.example/callback");
    let _ = fake.sign_in(&console, now(), |_| None).await;
    let asked = fake.asked.lock().expect("whole").clone();
    let last = asked.iter().rfind(|request| request.starts_with("POST /token ")).expect("it was asked");
    let expected = STANDARD.encode("the+console:a%3Asecret%252F+of%2Bsome%2Flength%26%3D%3F");
    assert!(last.contains(&format!("authorization: Basic {expected}\r\n")) && !last.contains("client_id"), "{last}");
}

#[tokio::test]
async fn no_redirect_is_followed_and_only_json_is_read() {
    for (path, place) in [
        ("/.well-known/openid-configuration", "its description"),
        ("/token", "its token endpoint"),
        ("/jwks", "its keys"),
        ("/me", "its UserInfo"),
    ] {
        for (head, body, expected) in [
            ("302 Found\r\nLocation: /elsewhere", "{}", "redirected"),
            ("307 Temporary Redirect\r\nLocation: /elsewhere", "{}", "redirected"),
            ("200 OK\r\nContent-Type: text/html", "<html>{}</html>", "not-json"),
            ("200 OK", "{}", "not-json"),
            ("200 OK\r\nContent-Type: application/json", "<html>", "malformed"),
            ("500 Internal Server Error\r\nContent-Type: application/json", "{}", "status"),
        ] {
            let fake = Fake::start().await;
            let console = fake.console();
            fake.says("/token", json!({}));
            fake.answers(path, Answer::Whole(head, body.as_bytes().to_vec()));
            // Without groups UserInfo is asked.
            let tokens = |nonce: &str| {
                let token = fake.token("k", nonce, now(), &json!({"groups": null}));
                (path != "/token").then(|| json!({"access_token": "an access token", "id_token": token}))
            };
            let outcome = fake.sign_in(&console, now(), tokens).await;
            assert_eq!(word(&outcome), expected, "{path}: {head}");
            let told = outcome.expect_err("refused").to_string();
            assert!(told.contains(place) && !told.contains("code"), "{told}");
            assert_eq!(fake.times("/elsewhere"), 0, "{path}: {head}");
        }
    }
}

#[tokio::test]
async fn so_many_octets_are_read_of_a_document_and_no_more() {
    for (octets, expected) in [(limits::OIDC_DOCUMENT_BYTES_MAX, "good"), (limits::OIDC_DOCUMENT_BYTES_MAX + 1, "unreachable")] {
        for path in ["/.well-known/openid-configuration", "/jwks"] {
            let fake = Fake::start().await;
            let said = if path == "/jwks" { fake.jwks("k") } else { fake.description(&json!({})) };
            let mut body = said.to_string().into_bytes();
            body.resize(octets, b' ');
            fake.answers(path, Answer::Whole(JSON, body));
            let outcome = fake.sign_in_with(&fake.console(), now(), "k", &json!({})).await;
            assert_eq!(word(&outcome), expected, "{path}: {octets}");
            assert!(outcome.map_or_else(|why| why.to_string().ends_with("the answer is too large"), |_| true));
        }
    }
}

#[tokio::test]
async fn an_unknown_key_has_the_keys_read_again_once_a_minute_and_no_more() {
    let (fake, start) = (Fake::start().await, now());
    let console = fake.console();
    let again = limits::OIDC_KEYS_AGAIN_MS;
    for (after_ms, kid, expected, times) in [
        (0, "k", "good", 1),
        (1, "new", "unknown-key", 1),
        (again - 1, "new", "unknown-key", 1),
        (again, "new", "unknown-key", 2),
        (again + 1, "new", "unknown-key", 2),
        (2 * again - 1, "new", "unknown-key", 2),
    ] {
        let outcome = fake.sign_in_with(&console, start.plus_ms(after_ms), kid, &json!({})).await;
        assert_eq!((word(&outcome), fake.times("/jwks")), (expected, times), "after {after_ms} ms");
    }
    // The provider has changed its keys: that of before is none any more.
    fake.says("/jwks", fake.jwks("new"));
    let at = start.plus_ms(2 * again);
    assert_eq!(word(&fake.sign_in_with(&console, at, "new", &json!({})).await), "good");
    assert_eq!(word(&fake.sign_in_with(&console, at, "k", &json!({})).await), "unknown-key");
    assert_eq!(fake.times("/jwks"), 3);
    // Asking in vain is asking too.
    fake.answers("/jwks", Answer::Whole("503 Service Unavailable", Vec::new()));
    for (after_ms, expected, times) in [(3 * again, "status", 4), (3 * again + 1, "unknown-key", 4), (4 * again, "status", 5)] {
        let outcome = fake.sign_in_with(&console, start.plus_ms(after_ms), "k", &json!({})).await;
        assert_eq!((word(&outcome), fake.times("/jwks")), (expected, times), "after {after_ms} ms");
    }
}

#[tokio::test]
async fn what_is_known_of_a_provider_is_kept_so_long_and_no_longer() {
    let (fake, start) = (Fake::start().await, now());
    let console = fake.console();
    for (after_ms, times) in [(0, 1), (limits::OIDC_KEPT_MS - 1, 1), (limits::OIDC_KEPT_MS, 2), (limits::OIDC_KEPT_MS + 1, 2)] {
        assert_eq!(word(&fake.sign_in_with(&console, start.plus_ms(after_ms), "k", &json!({})).await), "good");
        let asked = (fake.times("/.well-known/openid-configuration"), fake.times("/jwks"));
        assert_eq!(asked, (times, times), "after {after_ms} ms");
    }
}

#[tokio::test]
async fn a_provider_that_hangs_is_waited_for_so_long_and_no_longer() {
    let fake = Fake::start().await;
    fake.answers("/token", Answer::Silence);
    let began = tokio::time::Instant::now();
    let outcome = fake.sign_in(&fake.console(), now(), |_| None).await;
    let waited = began.elapsed();
    assert_eq!(word(&outcome), "unreachable");
    assert!(outcome.expect_err("refused").to_string().ends_with("its token endpoint: no answer in time"));
    let least = Duration::from_millis(limits::OIDC_MS);
    assert!((least..least + Duration::from_secs(5)).contains(&waited), "{waited:?}");
}

#[tokio::test]
async fn whoever_sends_somebody_back_is_the_provider() {
    let fake = Fake::start().await;
    let finish = async |said: &Value, query: &str| {
        fake.says("/.well-known/openid-configuration", fake.description(said));
        let console = fake.console();
        let (url, begin) = console.begin(now()).await.expect("it begins");
        let nonce = parameter(&url, "nonce").expect("a nonce");
        fake.says("/token", json!({"id_token": fake.token("k", &nonce, now(), &json!({}))}));
        let query = format!("{query}&state={}", begin.state());
        word(&console.finish(&Return::parse(&query).expect("a return"), begin, now()).await)
    };
    let (silent, names) = (json!({}), json!({"authorization_response_iss_parameter_supported": true}));
    for (said, query, expected) in [
        (&silent, "code=c".to_owned(), "good"),
        (&silent, format!("code=c&iss={}", fake.issuer), "good"),
        (&silent, "code=c&iss=https://evil.example".to_owned(), "other-sender"),
        (&names, format!("code=c&iss={}", fake.issuer), "good"),
        (&names, "code=c".to_owned(), "other-sender"),
        (&names, format!("code=c&iss={}/", fake.issuer), "other-sender"),
        (&names, "error=access_denied".to_owned(), "other-sender"),
        (&names, format!("error=access_denied&iss={}", fake.issuer), "denied"),
    ] {
        assert_eq!(finish(said, &query).await, expected, "{said}: {query}");
    }
    // What belongs to another sign-in is taken for none.
    let console = fake.console();
    let (_, begin) = console.begin(now()).await.expect("it begins");
    let came = Return::parse("code=c&state=another").expect("a return");
    assert_eq!(word(&console.finish(&came, begin, now()).await), "other-sender");
}

#[tokio::test]
async fn what_userinfo_says_is_about_the_same_person_and_changes_nothing() {
    let fake = Fake::start().await;
    let console = fake.console();
    let without = json!({"groups": null, "name": "Signed"});
    fake.says("/me", json!({"sub": "somebody", "groups": ["audit-office"]}));
    assert_eq!(word(&fake.sign_in_with(&console, now(), "k", &without).await), "other-subject");
    fake.says("/me", json!({"groups": ["audit-office"]}));
    assert_eq!(word(&fake.sign_in_with(&console, now(), "k", &without).await), "other-subject");
    fake.says(
        "/me",
        json!({"sub": "maria", "groups": ["audit-office"], "name": "Said", "email": "m@x.example", "email_verified": false}),
    );
    let signed_in = fake.sign_in_with(&console, now(), "k", &without).await.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((signed_in.name(), signed_in.email(), signed_in.groups().len()), (Some("Signed"), None, 1));
    assert!(signed_in.roles().contains(&Duty::Auditor));
    let asked = fake.asked.lock().expect("whole").last().cloned().expect("it was asked");
    assert!(asked.starts_with("GET /me ") && asked.contains("authorization: Bearer an access token\r\n"), "{asked}");
    // Nobody in no group has a role.
    fake.says("/me", json!({"sub": "maria"}));
    let signed_in = fake.sign_in_with(&console, now(), "k", &without).await.unwrap_or_else(|why| panic!("{why}"));
    assert!(signed_in.roles().is_empty() && signed_in.groups().is_empty());
    assert_eq!(format!("{signed_in:?}"), "SignedIn with {}");
    // What is in the token already is not asked for.
    let times = fake.times("/me");
    assert_eq!(word(&fake.sign_in_with(&console, now(), "k", &json!({})).await), "good");
    assert_eq!(fake.times("/me"), times);
}

#[tokio::test]
async fn tokens_are_held_against_the_sign_in_that_they_are_for() {
    let fake = Fake::start().await;
    let console = fake.console();
    for (others, expected) in [
        (json!({"nonce": "another"}), "token-nonce"),
        (json!({"iss": "https://login.example"}), "token-issuer"),
        (json!({"aud": "another"}), "token-audience"),
        (json!({"exp": 1}), "token-expired"),
        (json!({"at_hash": "another"}), "token-hash"),
    ] {
        assert_eq!(word(&fake.sign_in_with(&console, now(), "k", &others).await), expected, "{others}");
    }
    for (said, expected) in [
        (json!({"error": "invalid_grant"}), "malformed"),
        (json!({"id_token": "a.b.c"}), "not-signed"),
        (json!({"id_token": 7}), "malformed"),
        (json!({"id_token": "a.b.c", "token_type": "MAC"}), "malformed"),
    ] {
        assert_eq!(word(&fake.sign_in(&console, now(), |_| Some(said.clone())).await), expected, "{said}");
    }
    let refusal = Answer::Whole(
        "400 Bad Request\r\nContent-Type: application/json",
        br#"{"error":"<b>","error_description":"x"}"#.to_vec(),
    );
    fake.answers("/token", refusal);
    let told = fake.sign_in(&console, now(), |_| None).await.expect_err("refused").to_string();
    assert_eq!(told, "the provider gives no token for its code: an error that is no code");
}

#[test]
fn nobody_signs_in_with_files_that_are_not_right() {
    let folder = Folder::new();
    fs::write(folder.path().join("root.pem"), make_root("test", now()).expect("a root").certificate).expect("writable");
    let open = |more: &str, authorities: &str, redirect: &str| {
        let section = format!("issuer = \"https://login.example\"\nclient_id = \"console\"\n{more}\n{ROLES}");
        let settings = Oidc::parse(&section, folder.path(), folder.path().join(authorities)).expect("a section");
        Provider::open(settings, redirect).map(drop).map_err(|why| why.to_string())
    };
    let redirect = "https://gateway.example/callback";
    assert_eq!(open("", "root.pem", redirect), Ok(()));
    assert!(open("", "none.pem", redirect).is_err_and(|told| told.contains("none.pem")));
    assert!(open("", "root.pem", "http://gateway.example/callback").is_err_and(|told| told.contains("nowhere to send somebody")));
    let secret = "client_secret_file = \"secret\"";
    assert!(open(secret, "root.pem", redirect).is_err_and(|told| told.contains("secret")));
    for (text, is_good) in [("s3cret\r\n", true), ("", false), ("\n", false), ("one\ntwo\n", false)] {
        fs::write(folder.path().join("secret"), text).expect("writable");
        let opened = open(secret, "root.pem", redirect);
        assert_eq!(opened.is_ok(), is_good, "{text:?}: {opened:?}");
    }
}
