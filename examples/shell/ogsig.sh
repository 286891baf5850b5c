# The signature profile og-sig-1 with xmlsec1: to be sourced. Fills templates, signs messages, verifies messages.
templates=$(dirname "${BASH_SOURCE[0]}")/../templates

# fill TEMPLATE NAME=VALUE...: {Context} and {Body} stand for markup and come last, every other name for text.
fill() {
    local text pair name value
    text=$(<"$templates/$1"); shift
    for pair; do
        name=${pair%%=*} value=${pair#*=}
        if [[ $name != Context && $name != Body ]]; then
            value=${value//'&'/'&amp;'} value=${value//'<'/'&lt;'} value=${value//'"'/'&quot;'}
        fi
        text=${text//"{$name}"/"$value"}
    done
    printf '%s\n' "$text"
}

# xpath FILE EXPRESSION: a step :Name means an element of that name in any namespace.
xpath() { xmllint --nonet --xpath "$(sed -E 's/:([A-Za-z0-9]+)/*[local-name()="\1"]/g' <<<"$2")" "$1"; }

# element FILE EXPRESSION: an element as it was signed, with the namespaces that it uses.
element() { xmllint --nonet --exc-c14n "$1" | xpath - "$2"; }

# sign AGENCY-DIR KEY-NAME: reads a message, writes it signed.
sign() {
    local ds=http://www.w3.org/2000/09/xmldsig# more=http://www.w3.org/2001/04/xmldsig-more#
    local exclusive=http://www.w3.org/2001/10/xml-exc-c14n# algorithm=rsa-sha256
    [[ $(openssl pkey -in "$1/$2.key" -noout -text) != *prime256v1* ]] || algorithm=ecdsa-sha256
    sed "s|^</Message>|<Signature xmlns='$ds'><SignedInfo><CanonicalizationMethod Algorithm='$exclusive'/>\
<SignatureMethod Algorithm='$more$algorithm'/><Reference URI=''><Transforms><Transform Algorithm='${ds}enveloped-signature'/>\
<Transform Algorithm='$exclusive'/></Transforms><DigestMethod Algorithm='http://www.w3.org/2001/04/xmlenc#sha256'/><DigestValue/>\
</Reference></SignedInfo><SignatureValue/><KeyInfo><X509Data><X509Certificate/></X509Data></KeyInfo></Signature>&|" |
        xmlsec1 --sign --privkey-pem "$1/$2.key,$1/$2.pem" /dev/stdin
}

# verify CA FILE: fails if anything is not as og-sig-1 has it.
verify() {
    local closed='count(//:Signature)=1 and count(//:Reference)=1 and //:Reference[@URI=""] and count(//:Transform)=2
        and //:Transform[1]/@Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"
        and //:Transform[2]/@Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"'
    ! grep -q '<!DOCTYPE' "$2" || { echo 'a DOCTYPE' >&2; return 1; }
    [[ $(xpath "$2" "$closed") == true ]] || { echo 'the signature does not cover the whole message' >&2; return 1; }
    xmlsec1 --verify --trusted-pem "$1" --enabled-key-data x509 "$2" >/dev/null 2>&1 || { echo 'the signature is not valid' >&2; return 1; }
    local names
    names=$(xpath "$2" 'string(//:X509Certificate)' | tr -d ' \t\r\n' | base64 -d | openssl x509 -inform der -noout -ext subjectAltName)
    tr -s ', ' '\n' <<<"$names" | grep -xF "URI:urn:oncegate:agency:$(xpath "$2" 'string(/:Message/:Header/:From)')" >/dev/null ||
        { echo 'the signer is not the sender' >&2; return 1; }
}

# digest FILE: the digest of a signed message in hex: what an answer to it must name.
digest() { xpath "$1" 'string(//:DigestValue)' | base64 -d | od -An -tx1 | tr -d ' \n'; }

instant() { date -u -d "${1:-now}" +%FT%T.%3NZ; }

# A UUID of version 7: 48 bits of time in milliseconds, then random bits (RFC 9562).
message_id() {
    local time random
    time=$(printf %012x "$(date +%s%3N)") random=$(openssl rand -hex 10)
    printf '%s-%s-7%s-%x%s-%s\n' "${time:0:8}" "${time:8:4}" "${random:0:3}" $((8 + RANDOM % 4)) "${random:3:3}" "${random:6:12}"
}
