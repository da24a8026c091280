// Node's tls module as a peer of the interoperation tests. tests/interop/peers/scripted.py says how it is called.
"use strict";
const fs = require("fs");
const tls = require("tls");

const terms = JSON.parse(process.argv[2]);
const options = {
  minVersion: `TLSv${terms.version}`,
  maxVersion: `TLSv${terms.version}`,
  ca: fs.readFileSync(terms.ca),
  cert: terms.chain ? fs.readFileSync(terms.chain) : undefined,
  key: terms.key ? fs.readFileSync(terms.key) : undefined,
  ALPNProtocols: terms.alpn.length ? terms.alpn : undefined,
  requestCert: terms.demands_certificate,
  allowHalfOpen: true,
};

function said(connection, socket) {
  const certificate = socket.getPeerCertificate().subject;
  const exported = socket.exportKeyingMaterial(32, "EXPERIMENTAL wiretight tests", Buffer.from("a context"));
  const facts = JSON.stringify({
    version: socket.getProtocol(),
    alpn: socket.alpnProtocol || "",
    resumed: socket.isSessionReused(),
    certificate: certificate ? certificate.CN : "",
    exported: exported.toString("hex"),
  });
  return `connection ${connection} ${facts}`;
}

// What comes, as soon as it is all there.
function received(socket, then) {
  const parts = [];
  let size = 0;
  socket.on("data", (part) => {
    parts.push(part);
    size += part.length;
    if (!terms.half_close && size >= terms.size) then(Buffer.concat(parts));
  });
  socket.on("end", () => {
    if (terms.half_close) then(Buffer.concat(parts));
    else socket.end();
  });
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

function call(data, connection, session) {
  const target = { host: terms.address, port: terms.port, servername: "localhost", session };
  const socket = tls.connect({ ...options, ...target }, () => {
    socket.write(data);
    if (terms.half_close) socket.end();
  });
  let latest;
  socket.on("session", (ticket) => (latest = ticket));
  socket.on("error", fail);
  received(socket, (answer) => {
    console.error(said(connection, socket));
    socket.end();
    if (terms.resume && connection === 1) socket.on("close", () => call(data, 2, latest));
    else fs.writeSync(1, answer);
  });
}

if (terms.role === "client") {
  call(fs.readFileSync(0), 1);
} else {
  let connections = 0;
  const server = tls.createServer(options, (socket) => {
    console.log(said(++connections, socket));
    socket.on("error", (error) => console.error(error));
    received(socket, (data) => socket.end(data));
  });
  server.on("tlsClientError", (error) => console.error(error));
  server.listen(0, terms.address, () => console.log(`port ${server.address().port}`));
}
