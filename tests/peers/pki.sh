#!/usr/bin/env bash
# Throw-away keys for the tests: pki.sh DIR AGENCY... makes DIR/AGENCY/{ca,tls,sign,sign-rsa,sign-ed25519}.{pem,key}.
set -euo pipefail
dir=$1; shift
mkdir -p "$dir"

quietly() { "$@" 2>"$dir/openssl.log" || { cat "$dir/openssl.log" >&2; exit 1; }; }

authority() {
    quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -sha256 -subj '/C=XX/CN=Throw-away authority' \
        -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' \
        -keyout "$dir/ca.key" -out "$dir/ca.pem"
}

# leaf AGENCY NAME USAGE ALT-NAMES KEY-OPTIONS...
leaf() {
    local agency=$1 name=$2 usage=$3 names=$4; shift 4
    local base=$dir/$agency/$name
    quietly openssl genpkey "$@" -out "$base.key"
    quietly openssl req -new -key "$base.key" -subj "/C=XX/CN=$agency" -out "$base.csr"
    printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' "subjectAltName=$names" \
        'subjectKeyIdentifier=hash' 'authorityKeyIdentifier=keyid' ${usage:+"extendedKeyUsage=$usage"} >"$base.ext"
    quietly openssl x509 -req -in "$base.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days 30 -sha256 \
        -extfile "$base.ext" -out "$base.pem"
    rm "$base.csr" "$base.ext"
}

authority
for agency; do
    urn="URI:urn:oncegate:agency:$agency"
    mkdir -p "$dir/$agency"
    cp "$dir/ca.pem" "$dir/$agency/ca.pem"
    leaf "$agency" tls serverAuth,clientAuth "$urn,DNS:localhost,IP:127.0.0.1" -algorithm EC -pkeyopt ec_paramgen_curve:P-256
    leaf "$agency" sign '' "$urn" -algorithm EC -pkeyopt ec_paramgen_curve:P-256
    leaf "$agency" sign-rsa '' "$urn" -algorithm RSA -pkeyopt rsa_keygen_bits:2048
    leaf "$agency" sign-ed25519 '' "$urn" -algorithm ED25519
done
