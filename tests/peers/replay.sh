#!/usr/bin/env bash
# A dishonest provider: replay.sh AGENCY-DIR PORT FILE answers every request with the same signed answer.
set -euo pipefail
if [[ $# == 3 ]]; then
    export ANSWER=$3
    tls=cert=$1/tls.pem,key=$1/tls.key,cafile=$1/ca.pem,verify=1
    exec socat "OPENSSL-LISTEN:$2,bind=127.0.0.1,reuseaddr,fork,$tls" EXEC:"$0"
fi
length=0
while IFS= read -r line && line=${line%$'\r'} && [[ $line ]]; do
    if [[ ${line,,} =~ ^content-length:\ *([0-9]+)$ ]]; then length=${BASH_REMATCH[1]}; fi
done
head -c "$length" >/dev/null
printf 'HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' "$(stat -c %s "$ANSWER")"
cat "$ANSWER"
