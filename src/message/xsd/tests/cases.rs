//! Small schemas with documents that they take and refuse. `tests/it/xsd.rs` has xmllint judge the same ones.

/// A schema with documents.
pub struct Case {
    /// What it shows.
    pub name: &'static str,
    /// The content of a schema for `urn:t`, whose elements are qualified; or a whole schema.
    pub schema: &'static str,
    /// Other files of the set, whole or not as the schema is.
    pub more: &'static [(&'static str, &'static str)],
    /// Documents that are valid.
    pub good: &'static [&'static str],
    /// Documents that are not, each with the rule that it breaks.
    pub bad: &'static [(&'static str, &'static str)],
    /// Whether libxml2 judges alike.
    pub peer: Peer,
}

/// What libxml2 makes of a case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// The same.
    Agrees,
    /// The same, but for these documents, of which the specification says what is said here.
    AgreesBut(&'static [&'static str]),
    /// Something else, for this reason.
    Differs(&'static str),
}

const XS: &str = "xmlns:xs='http://www.w3.org/2001/XMLSchema'";

/// The whole schema.
pub fn schema(text: &str) -> String {
    if text.starts_with("<xs:schema") {
        return text.replacen("<xs:schema", &format!("<xs:schema {XS}"), 1);
    }
    format!(
        "<xs:schema {XS} xmlns='urn:t' xmlns:t='urn:t' xmlns:o='urn:o' targetNamespace='urn:t' elementFormDefault='qualified'>{text}</xs:schema>"
    )
}

/// The whole document: the namespaces are declared in its first tag, but for the default one if the schema is a whole one.
pub fn document(case: &Case, text: &str) -> String {
    let end = text.find([' ', '>', '/']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let default = if case.schema.starts_with("<xs:schema") { "" } else { " xmlns='urn:t'" };
    format!("{name}{default} xmlns:t='urn:t' xmlns:o='urn:o' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' {XS}{rest}")
}

const fn case(
    name: &'static str,
    schema: &'static str,
    good: &'static [&'static str],
    bad: &'static [(&'static str, &'static str)],
) -> Case {
    Case { name, schema, more: &[], good, bad, peer: Peer::Agrees }
}

const CONTENT: &str = "cvc-complex-type.2.4";
const NO_ATTRIBUTE: &str = "cvc-complex-type.3.2.2";

/// Content models, types and their derivation, attributes.
pub const TYPES: &[Case] = &[
    case(
        "an extension comes behind its base",
        "<xs:complexType name='B'><xs:sequence><xs:element name='a' type='xs:int'/></xs:sequence><xs:attribute name='x'/></xs:complexType>
         <xs:complexType name='E'><xs:complexContent><xs:extension base='B'><xs:choice><xs:element name='b' type='xs:int'/><xs:element name='c' type='xs:int'/></xs:choice>
         <xs:attribute name='y' use='required'/></xs:extension></xs:complexContent></xs:complexType><xs:element name='r' type='E'/>",
        &["<r x='1' y='2'><a>1</a><b>2</b></r>", "<r y='2'><a>1</a><c>2</c></r>"],
        &[
            ("<r y='2'><b>2</b><a>1</a></r>", CONTENT),
            ("<r y='2'><a>1</a></r>", CONTENT),
            ("<r y='2'><a>1</a><b>2</b><c>3</c></r>", CONTENT),
            ("<r><a>1</a><b>2</b></r>", "cvc-complex-type.4"),
            ("<r y='2' z='1'><a>1</a><b>2</b></r>", NO_ATTRIBUTE),
        ],
    ),
    case(
        "a restriction says all that is left, and its attributes are those of its base but for those it prohibits",
        "<xs:complexType name='B'><xs:sequence><xs:element name='a' minOccurs='0' maxOccurs='unbounded'/></xs:sequence>
         <xs:attribute name='x'/><xs:attribute name='y'/></xs:complexType>
         <xs:complexType name='R'><xs:complexContent><xs:restriction base='B'><xs:sequence><xs:element name='a' maxOccurs='2'/></xs:sequence>
         <xs:attribute name='y' use='prohibited'/></xs:restriction></xs:complexContent></xs:complexType><xs:element name='r' type='R'/>",
        &["<r><a/></r>", "<r x='1'><a/><a/></r>"],
        &[("<r/>", CONTENT), ("<r><a/><a/><a/></r>", CONTENT), ("<r y='1'><a/></r>", NO_ATTRIBUTE)],
    ),
    case(
        "simple content, extended by attributes and restricted by facets",
        "<xs:complexType name='B'><xs:simpleContent><xs:extension base='xs:decimal'><xs:attribute name='u' type='xs:NCName' use='required'/></xs:extension></xs:simpleContent></xs:complexType>
         <xs:complexType name='R'><xs:simpleContent><xs:restriction base='B'><xs:maxInclusive value='10'/><xs:attribute name='u' fixed='EUR' type='xs:NCName' use='required'/></xs:restriction></xs:simpleContent></xs:complexType>
         <xs:element name='r' type='R'/>",
        &["<r u='EUR'>9.5</r>", "<r u=' EUR '> 10 </r>"],
        &[
            ("<r u='EUR'>11</r>", "cvc-maxInclusive-valid"),
            ("<r u='EUR'>x</r>", "cvc-datatype-valid"),
            ("<r u='EUR'/>", "cvc-datatype-valid"),
            ("<r u='USD'>1</r>", "cvc-attribute.4"),
            ("<r>1</r>", "cvc-complex-type.4"),
            ("<r u='EUR'>1<r u='EUR'>1</r></r>", "cvc-complex-type.2.2"),
        ],
    ),
    case(
        "elements and attributes that are referred to",
        "<xs:element name='a' type='xs:int'/><xs:attribute name='x' type='xs:int'/><xs:element name='r'><xs:complexType><xs:sequence>
         <xs:element ref='a' maxOccurs='2'/></xs:sequence><xs:attribute ref='x' use='required'/></xs:complexType></xs:element>",
        &["<r t:x='1'><a>1</a><a>2</a></r>", "<a>1</a>"],
        &[
            ("<r x='1'><a>1</a></r>", NO_ATTRIBUTE),
            ("<r><a>1</a></r>", "cvc-complex-type.4"),
            ("<r t:x='a'><a>1</a></r>", "cvc-datatype-valid"),
            ("<r t:x='1'><a xmlns=''>1</a></r>", CONTENT),
            ("<q/>", "cvc-elt.1"),
        ],
    ),
    case(
        "groups and attribute groups inside each other",
        "<xs:group name='g'><xs:sequence><xs:element name='a'/><xs:group ref='h' minOccurs='0' maxOccurs='2'/></xs:sequence></xs:group>
         <xs:group name='h'><xs:choice><xs:element name='b'/><xs:element name='c'/></xs:choice></xs:group>
         <xs:attributeGroup name='i'><xs:attribute name='x'/><xs:attributeGroup ref='j'/></xs:attributeGroup>
         <xs:attributeGroup name='j'><xs:attribute name='y' type='xs:int'/></xs:attributeGroup>
         <xs:element name='r'><xs:complexType><xs:group ref='g' maxOccurs='2'/><xs:attributeGroup ref='i'/></xs:complexType></xs:element>",
        &["<r x='' y='1'><a/></r>", "<r><a/><b/><c/><a/><c/></r>"],
        &[
            ("<r><a/><b/><c/><b/></r>", CONTENT),
            ("<r><a/><a/><a/></r>", CONTENT),
            ("<r><b/></r>", CONTENT),
            ("<r y='a'><a/></r>", "cvc-datatype-valid"),
        ],
    ),
    case(
        "types that contain themselves",
        "<xs:complexType name='T'><xs:choice><xs:element name='n' type='T'/><xs:element name='v' type='xs:int'/></xs:choice></xs:complexType><xs:element name='r' type='T'/>",
        &["<r><v>1</v></r>", "<r><n><n><n><v>1</v></n></n></n></r>"],
        &[("<r><n><n/></n></r>", CONTENT), ("<r><n><v>a</v></n></r>", "cvc-datatype-valid")],
    ),
    case(
        "large counts",
        "<xs:element name='r'><xs:complexType><xs:sequence><xs:element name='a' minOccurs='3' maxOccurs='1000000'/><xs:element name='b' maxOccurs='1000000'/></xs:sequence></xs:complexType></xs:element>",
        &["<r><a/><a/><a/><b/></r>", "<r><a/><a/><a/><a/><b/><b/></r>"],
        &[("<r><a/><a/><b/></r>", CONTENT), ("<r><a/><a/><a/></r>", CONTENT)],
    ),
    case(
        "counted groups of counted elements: five or six, ten to twelve, fifteen to eighteen",
        "<xs:element name='r'><xs:complexType><xs:sequence maxOccurs='3'><xs:element name='a' minOccurs='5' maxOccurs='6'/></xs:sequence></xs:complexType></xs:element>",
        &[
            "<r><a/><a/><a/><a/><a/></r>",
            "<r><a/><a/><a/><a/><a/><a/></r>",
            "<r><a/><a/><a/><a/><a/><a/><a/><a/><a/><a/></r>",
            "<r><a/><a/><a/><a/><a/><a/><a/><a/><a/><a/><a/><a/></r>",
        ],
        &[
            ("<r><a/><a/><a/><a/></r>", CONTENT),
            ("<r><a/><a/><a/><a/><a/><a/><a/></r>", CONTENT),
            ("<r><a/><a/><a/><a/><a/><a/><a/><a/><a/></r>", CONTENT),
            ("<r><a/><a/><a/><a/><a/><a/><a/><a/><a/><a/><a/><a/><a/></r>", CONTENT),
        ],
    ),
    case(
        "xs:all: any order, each once, some may be missing",
        "<xs:element name='r'><xs:complexType><xs:all><xs:element name='a'/><xs:element name='b' minOccurs='0'/><xs:element name='c'/></xs:all></xs:complexType></xs:element>
         <xs:element name='s'><xs:complexType><xs:all minOccurs='0'><xs:element name='a'/><xs:element name='b'/></xs:all></xs:complexType></xs:element>",
        &["<r><c/><b/><a/></r>", "<r><a/><c/></r>", "<s/>", "<s><b/><a/></s>"],
        &[("<r><a/><b/></r>", CONTENT), ("<r><a/><c/><a/></r>", CONTENT), ("<r/>", CONTENT), ("<s><a/></s>", CONTENT)],
    ),
    case(
        "mixed content and content without text",
        "<xs:element name='m'><xs:complexType mixed='true'><xs:sequence><xs:element name='b' minOccurs='0'/></xs:sequence></xs:complexType></xs:element>
         <xs:element name='p'><xs:complexType><xs:sequence><xs:element name='b' minOccurs='0'/></xs:sequence></xs:complexType></xs:element>
         <xs:element name='e'><xs:complexType/></xs:element>",
        &["<m>a<b/>c</m>", "<m/>", "<p> <b/> </p>", "<p> </p>", "<e/>"],
        &[
            ("<m>a<c/></m>", CONTENT),
            ("<p>a<b/></p>", "cvc-complex-type.2.3"),
            ("<e>a</e>", "cvc-complex-type.2.1"),
            ("<e><b/></e>", "cvc-complex-type.2.1"),
        ],
    ),
    case(
        "unqualified locals",
        "<xs:element name='r'><xs:complexType><xs:sequence><xs:element name='a' form='unqualified'/><xs:element name='b' form='qualified'/></xs:sequence><xs:attribute name='x' form='qualified'/></xs:complexType></xs:element>",
        &["<r t:x=''><a xmlns=''/><b/></r>"],
        &[("<r><a/><b/></r>", CONTENT), ("<r x=''><a xmlns=''/><b/></r>", NO_ATTRIBUTE)],
    ),
    case(
        "no target namespace",
        "<xs:schema><xs:element name='r'><xs:complexType><xs:sequence><xs:element name='a' type='T'/></xs:sequence></xs:complexType></xs:element>
         <xs:simpleType name='T'><xs:restriction base='xs:int'/></xs:simpleType></xs:schema>",
        &["<r><a>1</a></r>"],
        &[("<r><a>x</a></r>", "cvc-datatype-valid"), ("<r xmlns='urn:t'><a>1</a></r>", "cvc-elt.1")],
    ),
];

/// Wildcards, substitution, `xsi:type` and `xsi:nil`.
pub const OPEN: &[Case] = &[
    case(
        "wildcards that look strictly, laxly and not at all",
        "<xs:element name='g' type='xs:int'/><xs:element name='s'><xs:complexType><xs:sequence><xs:any/></xs:sequence></xs:complexType></xs:element>
         <xs:element name='l'><xs:complexType><xs:sequence><xs:any processContents='lax'/></xs:sequence></xs:complexType></xs:element>
         <xs:element name='k'><xs:complexType><xs:sequence><xs:any processContents='skip'/></xs:sequence></xs:complexType></xs:element>",
        &["<s><g>1</g></s>", "<l><g>1</g></l>", "<l><o:x><t:g>1</t:g></o:x></l>", "<k><g>a</g></k>", "<k><o:x a='1'>t<q/></o:x></k>"],
        &[
            ("<s><o:x/></s>", "cvc-assess-elt.1.1"),
            ("<s><g>a</g></s>", "cvc-datatype-valid"),
            ("<l><g>a</g></l>", "cvc-datatype-valid"),
            ("<l><o:x><t:g>a</t:g></o:x></l>", "cvc-datatype-valid"),
            ("<k/>", CONTENT),
        ],
    ),
    case(
        "namespaces of wildcards",
        "<xs:element name='other'><xs:complexType><xs:sequence><xs:any namespace='##other' processContents='lax'/></xs:sequence></xs:complexType></xs:element>
         <xs:element name='local'><xs:complexType><xs:sequence><xs:any namespace='##local' processContents='lax'/></xs:sequence></xs:complexType></xs:element>
         <xs:element name='own'><xs:complexType><xs:sequence><xs:any namespace='##targetNamespace urn:q' processContents='lax'/></xs:sequence></xs:complexType></xs:element>",
        &["<other><o:x/></other>", "<local><x xmlns=''/></local>", "<own><x/></own>", "<own><q:x xmlns:q='urn:q'/></own>"],
        &[
            ("<other><x/></other>", CONTENT),
            ("<other><x xmlns=''/></other>", CONTENT),
            ("<local><o:x/></local>", CONTENT),
            ("<own><o:x/></own>", CONTENT),
        ],
    ),
    case(
        "wildcards of attributes",
        "<xs:attribute name='g' type='xs:int'/><xs:element name='s'><xs:complexType><xs:attribute name='own'/><xs:anyAttribute/></xs:complexType></xs:element>
         <xs:element name='l'><xs:complexType><xs:anyAttribute namespace='urn:q' processContents='lax'/></xs:complexType></xs:element>
         <xs:element name='k'><xs:complexType><xs:anyAttribute namespace='##other' processContents='skip'/></xs:complexType></xs:element>",
        &["<s t:g='1' own=''/>", "<l q:x='' xmlns:q='urn:q'/>", "<k o:x='1'/>"],
        &[("<s t:g='a'/>", "cvc-datatype-valid"), ("<s o:x='1'/>", "cvc-assess-attr.1"), ("<k x='1'/>", NO_ATTRIBUTE)],
    ),
    case(
        "wildcards of a base and of groups: an extension lets both through, groups only what all do",
        "<xs:complexType name='B'><xs:anyAttribute namespace='urn:a' processContents='skip'/></xs:complexType>
         <xs:complexType name='E'><xs:complexContent><xs:extension base='B'><xs:anyAttribute namespace='urn:b' processContents='skip'/></xs:extension></xs:complexContent></xs:complexType>
         <xs:attributeGroup name='g'><xs:anyAttribute namespace='urn:a urn:b' processContents='skip'/></xs:attributeGroup>
         <xs:attributeGroup name='h'><xs:anyAttribute namespace='urn:b urn:c' processContents='skip'/></xs:attributeGroup>
         <xs:element name='e' type='E'/><xs:element name='i'><xs:complexType><xs:attributeGroup ref='g'/><xs:attributeGroup ref='h'/></xs:complexType></xs:element>",
        &["<e a:x='' b:x='' xmlns:a='urn:a' xmlns:b='urn:b'/>", "<i b:x='' xmlns:b='urn:b'/>"],
        &[
            ("<e c:x='' xmlns:c='urn:c'/>", NO_ATTRIBUTE),
            ("<i a:x='' xmlns:a='urn:a'/>", NO_ATTRIBUTE),
            ("<i c:x='' xmlns:c='urn:c'/>", NO_ATTRIBUTE),
        ],
    ),
    case(
        "substitution groups, with members of members and an abstract head",
        "<xs:element name='h' abstract='true' type='xs:decimal'/><xs:element name='m' substitutionGroup='h' type='xs:integer'/><xs:element name='n' substitutionGroup='m'/>
         <xs:element name='r'><xs:complexType><xs:sequence><xs:element ref='h' maxOccurs='3'/></xs:sequence></xs:complexType></xs:element>",
        &["<r><m>1</m><n>2</n></r>"],
        &[("<r><h>1</h></r>", "cvc-elt.2"), ("<r><m>1.5</m></r>", "cvc-datatype-valid"), ("<r><n>1.5</n></r>", "cvc-datatype-valid")],
    ),
    case(
        "substitution that the head blocks",
        "<xs:element name='h' block='substitution'/><xs:element name='m' substitutionGroup='h'/>
         <xs:complexType name='B'><xs:sequence/></xs:complexType><xs:complexType name='E'><xs:complexContent><xs:extension base='B'/></xs:complexContent></xs:complexType>
         <xs:element name='i' type='B' block='extension'/><xs:element name='j' type='E' substitutionGroup='i'/><xs:element name='k' type='B' substitutionGroup='i'/>
         <xs:element name='r'><xs:complexType><xs:choice><xs:element ref='h'/><xs:element ref='i'/></xs:choice></xs:complexType></xs:element>",
        &["<r><h/></r>", "<r><i/></r>", "<r><k/></r>"],
        &[("<r><m/></r>", CONTENT), ("<r><j/></r>", CONTENT)],
    ),
    Case {
        peer: Peer::AgreesBut(&["<r xsi:type=' t:R '/>"]),
        ..case(
        "xsi:type: derived, of a union, blocked, not derived, unknown, abstract",
        "<xs:complexType name='B' abstract='true'><xs:sequence><xs:element name='a' minOccurs='0'/></xs:sequence></xs:complexType>
         <xs:complexType name='E'><xs:complexContent><xs:extension base='B'><xs:attribute name='x'/></xs:extension></xs:complexContent></xs:complexType>
         <xs:complexType name='R'><xs:complexContent><xs:restriction base='B'><xs:sequence/></xs:restriction></xs:complexContent></xs:complexType>
         <xs:complexType name='Q'><xs:sequence/></xs:complexType><xs:element name='r' type='B'/><xs:element name='b' type='B' block='restriction'/>
         <xs:element name='d' type='xs:decimal'/><xs:element name='any'/>",
        &[
            "<r xsi:type='E' x=''><a/></r>",
            "<r xsi:type=' t:R '/>",
            "<b xsi:type='E'/>",
            "<d xsi:type='xs:byte'>1</d>",
            "<any xsi:type='xs:int'>1</any>",
        ],
        &[
            ("<r/>", "cvc-type.2"),
            ("<r xsi:type='R'><a/></r>", "cvc-complex-type.2.1"),
            ("<b xsi:type='R'/>", "cvc-elt.4.3"),
            ("<r xsi:type='Q'/>", "cvc-elt.4.3"),
            ("<r xsi:type='N'/>", "cvc-elt.4.2"),
            ("<r xsi:type='u:E'/>", "cvc-elt.4.2"),
            ("<d xsi:type='xs:byte'>128</d>", "cvc-maxInclusive-valid"),
            ("<d xsi:type='xs:string'>1</d>", "cvc-elt.4.3"),
            ("<any xsi:type='xs:int'>a</any>", "cvc-datatype-valid"),
        ],
    )
    },
    case(
        "a type that blocks its own derivations",
        "<xs:complexType name='B' block='extension'><xs:sequence/></xs:complexType><xs:complexType name='E'><xs:complexContent><xs:extension base='B'/></xs:complexContent></xs:complexType>
         <xs:complexType name='R'><xs:complexContent><xs:restriction base='B'/></xs:complexContent></xs:complexType><xs:element name='r' type='B'/>",
        &["<r xsi:type='R'/>", "<r xsi:type='B'/>"],
        &[("<r xsi:type='E'/>", "cvc-elt.4.3")],
    ),
    case(
        "xsi:nil",
        "<xs:element name='n' type='xs:int' nillable='true'/><xs:element name='k' type='xs:int'/>
         <xs:element name='c' nillable='true'><xs:complexType><xs:sequence><xs:element name='a'/></xs:sequence><xs:attribute name='x' use='required'/></xs:complexType></xs:element>",
        &["<n xsi:nil='true'/>", "<n xsi:nil='0'>1</n>", "<c xsi:nil='1' x=''/>"],
        &[
            ("<n/>", "cvc-datatype-valid"),
            ("<n xsi:nil='true'>1</n>", "cvc-elt.3.2.1"),
            ("<n xsi:nil='true'> </n>", "cvc-elt.3.2.1"),
            ("<k xsi:nil='true'/>", "cvc-elt.3.1"),
            ("<n xsi:nil='maybe'>1</n>", "cvc-datatype-valid.1.2.1"),
            ("<c xsi:nil='1'/>", "cvc-complex-type.4"),
            ("<c xsi:nil='1' x=''><a/></c>", "cvc-elt.3.2.1"),
            ("<c x=''/>", CONTENT),
        ],
    ),
];

/// Values: presets, unions and lists, identity constraints, IDs.
pub const VALUES: &[Case] = &[
    Case {
        peer: Peer::AgreesBut(&["<f>1</f>", "<f> 1.00 </f>", "<m>a<b/></m>"]),
        ..case(
        "default and fixed values of elements",
        "<xs:element name='d' type='xs:int' default='5'/><xs:element name='f' type='xs:decimal' fixed='1.0'/>
         <xs:element name='m' fixed='a'><xs:complexType mixed='true'><xs:sequence><xs:element name='b' minOccurs='0'/></xs:sequence></xs:complexType></xs:element>",
        &["<d/>", "<d>6</d>", "<f/>", "<f>1</f>", "<f> 1.00 </f>", "<m>a</m>", "<m/>"],
        &[
            ("<f>2</f>", "cvc-elt.5.2.2"),
            ("<d>x</d>", "cvc-datatype-valid"),
            ("<m>b</m>", "cvc-elt.5.2.2"),
            ("<m>a<b/></m>", "cvc-elt.5.2.2"),
        ],
    )
    },
    case(
        "default and fixed values of attributes",
        "<xs:element name='r'><xs:complexType><xs:attribute name='d' default='5' type='xs:int'/><xs:attribute name='f' fixed='1.0' type='xs:decimal'/></xs:complexType></xs:element>",
        &["<r/>", "<r d='6' f='1'/>"],
        &[("<r f='2'/>", "cvc-attribute.4"), ("<r d=''/>", "cvc-datatype-valid")],
    ),
    case(
        "unions and lists",
        "<xs:simpleType name='U'><xs:union memberTypes='xs:int'><xs:simpleType><xs:restriction base='xs:token'><xs:enumeration value='none'/></xs:restriction></xs:simpleType></xs:union></xs:simpleType>
         <xs:simpleType name='L'><xs:restriction><xs:simpleType><xs:list itemType='U'/></xs:simpleType><xs:maxLength value='3'/></xs:restriction></xs:simpleType>
         <xs:element name='u' type='U'/><xs:element name='l' type='L'/>",
        &["<u>1</u>", "<u> none </u>", "<l>1 none 3</l>", "<l/>"],
        &[("<u>some</u>", "cvc-datatype-valid"), ("<l>1 some</l>", "cvc-datatype-valid"), ("<l>1 2 3 4</l>", "cvc-maxLength-valid")],
    ),
    case(
        "a key by attribute and element, and what refers to it",
        "<xs:element name='r'><xs:complexType><xs:sequence><xs:element name='p' minOccurs='0' maxOccurs='9'><xs:complexType><xs:sequence><xs:element name='n' type='xs:decimal' minOccurs='0' nillable='true'/></xs:sequence><xs:attribute name='k'/></xs:complexType></xs:element>
         <xs:element name='q' minOccurs='0' maxOccurs='9'><xs:complexType><xs:attribute name='k'/><xs:attribute name='n' type='xs:decimal'/></xs:complexType></xs:element></xs:sequence></xs:complexType>
         <xs:key name='key'><xs:selector xpath='t:p'/><xs:field xpath='@k'/><xs:field xpath='t:n'/></xs:key>
         <xs:keyref name='ref' refer='key'><xs:selector xpath='t:q'/><xs:field xpath='@k'/><xs:field xpath='@n'/></xs:keyref></xs:element>",
        &[
            "<r><p k='a'><n>1</n></p><p k='b'><n>1</n></p><q k='b' n='1.0'/></r>",
            "<r><p k='a'><n>1</n></p><q k='b'/></r>",
            "<r/>",
        ],
        &[
            ("<r><p k='a'><n>1</n></p><p k='a'><n>1.0</n></p></r>", "cvc-identity-constraint.4.2.2"),
            ("<r><p k='a'/></r>", "cvc-identity-constraint.4.2.1"),
            ("<r><p><n>1</n></p></r>", "cvc-identity-constraint.4.2.1"),
            ("<r><p k='a'><n xsi:nil='1'/></p></r>", "cvc-identity-constraint.4.2.3"),
            ("<r><p k='a'><n>1</n></p><q k='a' n='2'/></r>", "cvc-identity-constraint.4.3"),
        ],
    ),
    case(
        "unique values at any depth and of the element itself, of which some may be missing",
        "<xs:element name='r'><xs:complexType><xs:sequence><xs:element ref='g' maxOccurs='9'/></xs:sequence></xs:complexType><xs:unique name='u'><xs:selector xpath='.//t:v'/><xs:field xpath='.'/></xs:unique>
         <xs:unique name='w'><xs:selector xpath='t:g|.//t:v'/><xs:field xpath='@id'/></xs:unique></xs:element>
         <xs:element name='g'><xs:complexType><xs:sequence><xs:element name='v' maxOccurs='2'><xs:complexType><xs:simpleContent><xs:extension base='xs:int'><xs:attribute name='id'/></xs:extension></xs:simpleContent></xs:complexType></xs:element></xs:sequence><xs:attribute name='id'/></xs:complexType></xs:element>",
        &["<r><g><v>1</v><v>2</v></g><g><v>3</v></g></r>", "<r><g id='a'><v id='b'>1</v></g><g><v>2</v></g></r>"],
        &[
            ("<r><g><v>1</v></g><g><v>01</v></g></r>", "cvc-identity-constraint.4.1"),
            ("<r><g id='a'><v id='a'>1</v></g></r>", "cvc-identity-constraint.4.1"),
        ],
    ),
    case(
        "a field that is there twice, or has elements",
        "<xs:element name='r'><xs:complexType><xs:sequence><xs:element name='p' maxOccurs='9'><xs:complexType><xs:sequence><xs:element name='n' maxOccurs='2'><xs:complexType><xs:sequence><xs:element name='z' minOccurs='0'/></xs:sequence></xs:complexType></xs:element><xs:element name='s' type='xs:int' maxOccurs='2'/></xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType>
         <xs:unique name='u'><xs:selector xpath='t:p'/><xs:field xpath='t:s'/></xs:unique></xs:element>",
        &["<r><p><n/><s>1</s></p><p><n/><s>2</s></p></r>"],
        &[("<r><p><n/><s>1</s><s>2</s></p></r>", "cvc-identity-constraint.3")],
    ),
    case(
        "a keyref finds the keys of the elements inside its own",
        "<xs:element name='r'><xs:complexType><xs:sequence><xs:element name='g' maxOccurs='9'><xs:complexType><xs:sequence><xs:element name='p' type='xs:int' maxOccurs='9'/></xs:sequence></xs:complexType>
         <xs:key name='k'><xs:selector xpath='t:p'/><xs:field xpath='.'/></xs:key></xs:element><xs:element name='q' type='xs:int' minOccurs='0'/></xs:sequence></xs:complexType>
         <xs:keyref name='ref' refer='k'><xs:selector xpath='t:q'/><xs:field xpath='.'/></xs:keyref></xs:element>",
        &["<r><g><p>1</p></g><g><p>2</p></g><q>2</q></r>", "<r><g><p>1</p></g><g><p>1</p></g></r>"],
        &[("<r><g><p>1</p></g><q>3</q></r>", "cvc-identity-constraint.4.3"), ("<r><g><p>1</p><p>1</p></g></r>", "cvc-identity-constraint.4.2.2")],
    ),
    Case {
        peer: Peer::Differs("libxml2 does not look for IDs of elements, nor whether references find one"),
        ..case(
            "IDs and references to them",
            "<xs:element name='r'><xs:complexType><xs:sequence><xs:element name='e' type='xs:ID' minOccurs='0' maxOccurs='2'/></xs:sequence><xs:attribute name='i' type='xs:ID'/><xs:attribute name='f' type='xs:IDREF'/><xs:attribute name='fs' type='xs:IDREFS'/></xs:complexType></xs:element>",
            &["<r i='a' f='a'/>", "<r i='a' fs='a b'><e>b</e></r>", "<r f='b'><e>b</e></r>"],
            &[
                ("<r f='a'/>", "cvc-id.1"),
                ("<r i='a' fs='a b'/>", "cvc-id.1"),
                ("<r i='a'><e>a</e></r>", "cvc-id.2"),
                ("<r i='1'/>", "cvc-datatype-valid"),
                ("<r fs=''/>", "cvc-minLength-valid"),
            ],
        )
    },
];

/// Sets of more than one file.
pub const SETS: &[Case] = &[
    Case {
        more: &[("b.xsd", "<xs:complexType name='T'><xs:sequence><xs:element name='a'/></xs:sequence></xs:complexType>
            <xs:simpleType name='S'><xs:restriction base='xs:int'><xs:maxInclusive value='100'/></xs:restriction></xs:simpleType>
            <xs:group name='g'><xs:sequence><xs:element name='a'/></xs:sequence></xs:group><xs:attributeGroup name='i'><xs:attribute name='x'/></xs:attributeGroup>
            <xs:element name='r' type='T'/><xs:element name='s' type='S'/><xs:element name='h'><xs:complexType><xs:group ref='g'/><xs:attributeGroup ref='i'/></xs:complexType></xs:element>")],
        ..case(
            "redefined types, groups and attribute groups",
            "<xs:redefine schemaLocation='b.xsd'><xs:complexType name='T'><xs:complexContent><xs:extension base='T'><xs:sequence><xs:element name='b'/></xs:sequence></xs:extension></xs:complexContent></xs:complexType>
             <xs:simpleType name='S'><xs:restriction base='S'><xs:maxInclusive value='10'/></xs:restriction></xs:simpleType>
             <xs:group name='g'><xs:sequence><xs:group ref='g'/><xs:element name='c'/></xs:sequence></xs:group>
             <xs:attributeGroup name='i'><xs:attributeGroup ref='i'/><xs:attribute name='y'/></xs:attributeGroup></xs:redefine>",
            &["<r><a/><b/></r>", "<s>10</s>", "<h x='' y=''><a/><c/></h>"],
            &[
                ("<r><a/></r>", CONTENT),
                ("<s>11</s>", "cvc-maxInclusive-valid"),
                ("<h><a/></h>", CONTENT),
                ("<h z=''><a/><c/></h>", NO_ATTRIBUTE),
            ],
        )
    },
    Case {
        more: &[
            ("b.xsd", "<xs:redefine schemaLocation='c.xsd'><xs:simpleType name='S'><xs:restriction base='S'><xs:maxInclusive value='50'/></xs:restriction></xs:simpleType></xs:redefine>"),
            ("c.xsd", "<xs:simpleType name='S'><xs:restriction base='xs:int'><xs:minInclusive value='5'/></xs:restriction></xs:simpleType><xs:element name='s' type='S'/>"),
        ],
        peer: Peer::Differs("libxml2 does not know redefinitions of redefinitions"),
        ..case(
            "a redefinition of a redefinition",
            "<xs:redefine schemaLocation='b.xsd'><xs:simpleType name='S'><xs:restriction base='S'><xs:maxInclusive value='10'/></xs:restriction></xs:simpleType></xs:redefine>",
            &["<s>5</s>", "<s>10</s>"],
            &[("<s>4</s>", "cvc-minInclusive-valid"), ("<s>11</s>", "cvc-maxInclusive-valid")],
        )
    },
    Case {
        more: &[("c.xsd", "<xs:schema elementFormDefault='qualified'><xs:complexType name='T'><xs:sequence><xs:element name='a' type='S'/></xs:sequence></xs:complexType><xs:simpleType name='S'><xs:restriction base='xs:int'/></xs:simpleType></xs:schema>")],
        ..case(
            "an included file without a namespace takes that of whoever includes it",
            "<xs:include schemaLocation='c.xsd'/><xs:element name='r' type='T'/>",
            &["<r><a>1</a></r>"],
            &[("<r><a xmlns=''>1</a></r>", CONTENT), ("<r><a>x</a></r>", "cvc-datatype-valid")],
        )
    },
    Case {
        more: &[("o.xsd", "<xs:schema targetNamespace='urn:o' xmlns:o='urn:o'><xs:complexType name='T'><xs:sequence><xs:element name='a'/></xs:sequence></xs:complexType><xs:element name='e' type='o:T'/><xs:attribute name='x' type='xs:int'/></xs:schema>")],
        ..case(
            "imports",
            "<xs:import namespace='urn:o' schemaLocation='o.xsd'/><xs:element name='r'><xs:complexType><xs:sequence><xs:element ref='o:e'/><xs:element name='f' type='o:T'/></xs:sequence><xs:attribute ref='o:x'/></xs:complexType></xs:element>",
            &["<r o:x='1'><o:e><a xmlns=''/></o:e><f><a xmlns=''/></f></r>", "<o:e><a xmlns=''/></o:e>"],
            &[("<r><o:e><a/></o:e><f/></r>", CONTENT), ("<r o:x='a'><o:e><a xmlns=''/></o:e><f><a xmlns=''/></f></r>", "cvc-datatype-valid")],
        )
    },
];
