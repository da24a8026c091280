//! rustls as a peer of the interoperation tests. tests/interop/peers/scripted.py says how it is called.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::server::{AllowAnyAuthenticatedClient, NoClientAuth};
use rustls::{version, Certificate, ClientConfig, Connection, PrivateKey, RootCertStore, ServerConfig};
use rustls::{ClientConnection, ServerConnection, SupportedProtocolVersion};
use serde_json::Value;

type Failure = Box<dyn std::error::Error>;

const MARK: &[u8] = b"seen before";

fn certificates(path: &Value) -> Result<Vec<Certificate>, Failure> {
    let mut file = BufReader::new(File::open(path.as_str().unwrap())?);
    Ok(rustls_pemfile::certs(&mut file)?.into_iter().map(Certificate).collect())
}

fn private_key(path: &Value) -> Result<PrivateKey, Failure> {
    use rustls_pemfile::Item::{ECKey, PKCS8Key, RSAKey};
    let mut file = BufReader::new(File::open(path.as_str().unwrap())?);
    match rustls_pemfile::read_one(&mut file)? {
        Some(ECKey(der) | PKCS8Key(der) | RSAKey(der)) => Ok(PrivateKey(der)),
        _ => Err("no private key".into()),
    }
}

fn trusted(terms: &Value) -> Result<RootCertStore, Failure> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(&terms["ca"])? {
        store.add(&certificate)?;
    }
    Ok(store)
}

fn versions(terms: &Value) -> [&'static SupportedProtocolVersion; 1] {
    [if terms["version"] == "1.2" { &version::TLS12 } else { &version::TLS13 }]
}

fn protocols(terms: &Value) -> Vec<Vec<u8>> {
    let names = terms["alpn"].as_array().unwrap();
    names.iter().map(|name| name.as_str().unwrap().into()).collect()
}

fn client_config(terms: &Value) -> Result<ClientConfig, Failure> {
    let builder = ClientConfig::builder()
        .with_safe_default_cipher_suites()
        .with_safe_default_kx_groups()
        .with_protocol_versions(&versions(terms))?
        .with_root_certificates(trusted(terms)?);
    let mut config = if terms["chain"].is_null() {
        builder.with_no_client_auth()
    } else {
        builder.with_single_cert(certificates(&terms["chain"])?, private_key(&terms["key"])?)?
    };
    config.alpn_protocols = protocols(terms);
    Ok(config)
}

fn server_config(terms: &Value) -> Result<ServerConfig, Failure> {
    let demanded = terms["demands_certificate"] == true;
    let mut config = ServerConfig::builder()
        .with_safe_default_cipher_suites()
        .with_safe_default_kx_groups()
        .with_protocol_versions(&versions(terms))?
        .with_client_cert_verifier(if demanded {
            AllowAnyAuthenticatedClient::new(trusted(terms)?)
        } else {
            NoClientAuth::new()
        })
        .with_single_cert(certificates(&terms["chain"])?, private_key(&terms["key"])?)?;
    config.alpn_protocols = protocols(terms);
    Ok(config)
}

/// The line about a connection. Of resumption only a server of TLS 1.3 is told.
fn said(number: u32, connection: &Connection) -> String {
    let old = connection.protocol_version() == Some(version::TLS12.version);
    let resumed = match connection {
        Connection::Server(server) if !old => {
            format!(r#", "resumed": {}"#, server.received_resumption_data() == Some(MARK))
        }
        _ => String::new(),
    };
    format!(
        r#"connection {number} {{"version": "{}", "alpn": "{}", "certificate": {}{resumed}}}"#,
        if old { "TLSv1.2" } else { "TLSv1.3" },
        String::from_utf8_lossy(connection.alpn_protocol().unwrap_or_default()),
        connection.peer_certificates().is_some(),
    )
}

fn flush(connection: &mut Connection, sock: &mut TcpStream) -> io::Result<()> {
    while connection.wants_write() {
        connection.write_tls(sock)?;
    }
    Ok(())
}

fn send(connection: &mut Connection, sock: &mut TcpStream, data: &[u8]) -> Result<(), Failure> {
    connection.writer().write_all(data)?;
    Ok(flush(connection, sock)?)
}

/// What comes: `size` bytes, or everything up to the close_notify.
fn received(connection: &mut Connection, sock: &mut TcpStream, size: Option<usize>) -> Result<Vec<u8>, Failure> {
    let mut data = Vec::new();
    loop {
        let state = connection.process_new_packets();
        flush(connection, sock)?; // an alert, if that has failed
        let state = state?;
        let at = data.len();
        data.resize(at + state.plaintext_bytes_to_read(), 0);
        connection.reader().read_exact(&mut data[at..])?;
        if state.peer_has_closed() || size.map_or(false, |size| data.len() >= size) {
            return Ok(data);
        }
        if connection.read_tls(sock)? == 0 {
            return Err("the stream ends without a close_notify".into());
        }
    }
}

fn size(terms: &Value) -> Option<usize> {
    if terms["half_close"] == true { None } else { terms["size"].as_u64().map(|size| size as usize) }
}

fn call(terms: &Value, config: &Arc<ClientConfig>, data: &[u8], number: u32) -> Result<Vec<u8>, Failure> {
    let port = terms["port"].as_u64().unwrap() as u16;
    let mut sock = TcpStream::connect((terms["address"].as_str().unwrap(), port))?;
    let mut connection: Connection = ClientConnection::new(config.clone(), "localhost".try_into()?)?.into();
    connection.set_buffer_limit(None);
    connection.complete_io(&mut sock)?;
    send(&mut connection, &mut sock, data)?;
    if terms["half_close"] == true {
        connection.send_close_notify();
        flush(&mut connection, &mut sock)?;
    }
    let answer = received(&mut connection, &mut sock, size(terms))?;
    eprintln!("{}", said(number, &connection));
    connection.send_close_notify();
    flush(&mut connection, &mut sock)?;
    Ok(answer)
}

fn answer(terms: &Value, config: &Arc<ServerConfig>, sock: &mut TcpStream, number: u32) -> Result<(), Failure> {
    let mut server = ServerConnection::new(config.clone())?;
    server.set_resumption_data(MARK);
    let mut connection: Connection = server.into();
    connection.set_buffer_limit(None);
    let shaken = connection.complete_io(sock);
    flush(&mut connection, sock)?; // an alert, if that has failed
    shaken?;
    println!("{}", said(number, &connection));
    let data = received(&mut connection, sock, size(terms))?;
    send(&mut connection, sock, &data)?;
    connection.send_close_notify();
    flush(&mut connection, sock)?;
    let _ = sock.read(&mut [0]); // until the client has closed
    Ok(())
}

fn main() -> Result<(), Failure> {
    let terms: Value = serde_json::from_str(&std::env::args().nth(1).unwrap())?;
    if terms["role"] == "client" {
        let config = Arc::new(client_config(&terms)?);
        let mut data = Vec::new();
        io::stdin().read_to_end(&mut data)?;
        let mut back = call(&terms, &config, &data, 1)?;
        if terms["resume"] == true {
            back = call(&terms, &config, &data, 2)?;
        }
        return Ok(io::stdout().write_all(&back)?);
    }
    let config = Arc::new(server_config(&terms)?);
    let listener = TcpListener::bind((terms["address"].as_str().unwrap(), 0))?;
    println!("port {}", listener.local_addr()?.port());
    for number in 1.. {
        let (mut sock, _) = listener.accept()?;
        if let Err(failure) = answer(&terms, &config, &mut sock, number) {
            eprintln!("{failure}");
        }
    }
    Ok(())
}
