#!/usr/bin/env bash
# Answers from a register: provider.sh AGENCY-DIR AGENCY-ID PORT REGISTER.csv
# socat holds the port, asks every caller for a certificate of ca.pem, and starts answer.sh for each connection.
set -euo pipefail
[[ $# == 4 ]] || { sed -n 2p "$0" >&2; exit 2; }
export AGENCY=$1 AGENCY_ID=$2 REGISTER=$4
tls=cert=$AGENCY/tls.pem,key=$AGENCY/tls.key,cafile=$AGENCY/ca.pem,verify=1
exec socat "OPENSSL-LISTEN:$3,bind=127.0.0.1,reuseaddr,fork,max-children=32,$tls" EXEC:"$(dirname "$0")/answer.sh"
