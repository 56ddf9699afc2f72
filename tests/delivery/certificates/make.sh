#!/bin/sh
# Makes the certificates of the tests anew: an authority, a server's of it for loopback, one for another host's name,
# one that has expired, and an authority that signed none of them. They protect nothing.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT

cat > "$work/config" <<END
[ca]
default_ca = tests
[tests]
database = $work/index
new_certs_dir = $work
rand_serial = yes
unique_subject = no
default_md = sha256
policy = any
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[loopback]
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
authorityKeyIdentifier = keyid
[elsewhere]
subjectAltName = DNS:elsewhere.invalid
authorityKeyIdentifier = keyid
END
touch "$work/index"

request() { # NAME
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=replay-cli tests: $1" \
        -keyout "$work/$1.key" -out "$work/$1.csr" -config /dev/null
}

sign() { # NAME EXTENSIONS UNTIL HOW...
    name=$1 extensions=$2 until=$3
    shift 3
    openssl ca -batch -notext -config "$work/config" -extensions "$extensions" \
        -startdate 20200101000000Z -enddate "$until" -in "$work/$name.csr" -out "$work/$name.pem" "$@"
}

for name in authority stranger; do
    request "$name"
    sign "$name" authority 21200101000000Z -selfsign -keyfile "$work/$name.key"
    cp "$work/$name.pem" .
done
serve() { # NAME EXTENSIONS UNTIL
    request "$1"
    sign "$@" -cert "$work/authority.pem" -keyfile "$work/authority.key"
    cat "$work/$1.pem" "$work/$1.key" > "$1.pem"
}
serve server loopback 21200101000000Z
serve elsewhere elsewhere 21200101000000Z
serve expired loopback 20210101000000Z
