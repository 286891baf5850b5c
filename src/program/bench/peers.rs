//! Programs of others, where they are installed: nginx as what only forwards, libxmlsec1 as what only verifies.

use super::BenchError;
use super::process::{CORE, Process, can_pin};
use super::world::write;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

const NGINX: [&str; 3] = ["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"];
const PEER: &str = include_str!("../../../benches/peers/xmlsec.c");

/// Starts nginx with two legs of mutual TLS to the provider, if it is installed.
pub fn nginx(folder: &Path, port: u16, provider: u16) -> Result<Option<Process>, BenchError> {
    let works = |name: &&&str| Command::new(name).arg("-v").stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    let Some(name) = NGINX.iter().find(works) else { return Ok(None) };
    let here = folder.join("nginx");
    std::fs::create_dir_all(&here).map_err(|cause| BenchError::file(&here, cause))?;
    let (at, pki) = (here.display(), folder.display());
    let configuration = format!(
        "worker_processes 1;\ndaemon off;\nmaster_process off;\npid {at}/pid;\nerror_log {at}/errors warn;\n\
         events {{ worker_connections 4096; }}\nhttp {{\n  access_log off;\n  client_body_temp_path {at}/b; proxy_temp_path {at}/p; \
         fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n  keepalive_requests 100000000; keepalive_timeout 600s;\n  \
         client_max_body_size 2m; client_body_buffer_size 2m;\n  proxy_buffer_size 16k; proxy_buffers 80 16k; proxy_busy_buffers_size 32k; \
         proxy_max_temp_file_size 0;\n  tcp_nodelay on;\n  ssl_protocols TLSv1.3; ssl_session_tickets off; ssl_session_cache off;\n  \
         upstream up {{ server 127.0.0.1:{provider}; keepalive 512; keepalive_requests 100000000; keepalive_timeout 4s; }}\n  server {{\n    \
         listen 127.0.0.1:{port} ssl;\n    ssl_certificate {pki}/gateway.pem; ssl_certificate_key {pki}/gateway.key;\n    \
         ssl_client_certificate {pki}/ca.pem; ssl_verify_client on;\n    location / {{\n      proxy_pass https://up; proxy_http_version 1.1; \
         proxy_set_header Connection \"\"; proxy_set_header Host localhost;\n      proxy_ssl_certificate {pki}/gateway.pem; \
         proxy_ssl_certificate_key {pki}/gateway.key;\n      proxy_ssl_trusted_certificate {pki}/ca.pem; proxy_ssl_verify on; \
         proxy_ssl_name localhost; proxy_ssl_protocols TLSv1.3;\n    }}\n  }}\n}}\n"
    );
    let file = here.join("nginx.conf");
    write(&file, &configuration)?;
    let arguments = [OsString::from("-c"), file.into_os_string(), OsString::from("-p"), here.clone().into_os_string()];
    Process::start(&[OsString::from(name)], &arguments, &here.join("stderr")).map(Some)
}

/// A program that verifies with libxmlsec1, compiled where compiler and library are installed.
pub struct Xmlsec {
    program: std::path::PathBuf,
    key: std::path::PathBuf,
}

impl Xmlsec {
    /// Compiles it, if that can be done.
    pub fn build(folder: &Path, key: &Path) -> Result<Option<Self>, BenchError> {
        let (source, program) = (folder.join("xmlsec.c"), folder.join("xmlsec-peer"));
        write(&source, PEER)?;
        let Ok(flags) = Command::new("pkg-config").args(["--cflags", "--libs", "xmlsec1-openssl"]).stderr(Stdio::null()).output()
        else {
            return Ok(None);
        };
        let flags = String::from_utf8_lossy(&flags.stdout).into_owned();
        let mut compile = Command::new("cc");
        compile.args(["-O2", "-w", "-o"]).arg(&program).arg(&source).args(flags.split_whitespace());
        let is_built = compile.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        Ok(is_built.then(|| Self { program, key: key.to_owned() }))
    }

    /// CPU time of one verification in microseconds.
    pub fn verify(&self, folder: &Path, signed: &[u8]) -> Result<f64, BenchError> {
        let file = folder.join("signed.xml");
        std::fs::write(&file, signed).map_err(|cause| BenchError::file(&file, cause))?;
        let core = if can_pin() { CORE } else { 0 };
        let output =
            Command::new(&self.program).arg(&self.key).arg(&file).arg(core.to_string()).output().map_err(BenchError::Io)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.trim()
            .parse::<f64>()
            .map_err(|_| BenchError::Start(format!("libxmlsec1 does not verify: {}", String::from_utf8_lossy(&output.stderr))))
    }
}
