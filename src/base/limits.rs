//! Every bound of the gateway as a named constant.
//!
//! A configuration may tighten a limit, never lift one; the size of attachments alone has a default below its limit. Sizes are in bytes, times in milliseconds unless the name
//! says otherwise. Sources: `message.md` section 1 (XML 1.0 subset of the profile `og-sig-1`), RFC 9112, RFC 9113.

/// Refusals of one agency that are recorded one by one, per minute, and how many may come at once; the others are summed up.
/// An agency with more than 100 times this many requests a minute has a hundredth of them.
pub const REFUSALS_PER_MINUTE: u32 = 600;
/// See `REFUSALS_PER_MINUTE`; at least a fifth of the agency's burst.
pub const REFUSALS_BURST: u32 = 1_000;
/// How often what was summed up is recorded.
pub const REFUSALS_SUMMED_MS: u64 = 1_000;
/// How much later a refusal is answered that is one of too many.
pub const REFUSED_TOO_OFTEN_MS: u64 = 250;
/// Most connections at the public listener.
pub const PUBLIC_CONNECTIONS_MAX: usize = 1_024;
/// Messages larger than this are checked one at a time for each agency, and not by the threads that serve connections.
pub const HEAVY_BYTES: usize = 128 << 10;
/// Largest signed message without its attachments.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of elements, the root being at depth 1.
pub const DEPTH_MAX: usize = 64;
/// Most attributes on one element, namespace declarations included.
pub const ATTRIBUTES_MAX: usize = 64;
/// Most namespace bindings in scope at once.
pub const BINDINGS_MAX: usize = 64;
/// Longest qualified name.
pub const NAME_BYTES_MAX: usize = 256;
/// Longest attribute value, as written.
pub const VALUE_BYTES_MAX: usize = 8 << 10;
/// Most attachments of one message.
pub const ATTACHMENTS_MAX: usize = 16;
/// Most parts of one multipart body: the message and its attachments.
pub const PARTS_MAX: usize = 1 + ATTACHMENTS_MAX;
/// Longest head of a part, with the empty line behind it.
pub const PART_HEAD_BYTES_MAX: usize = 4 << 10;
/// Most fields in it.
pub const PART_FIELDS_MAX: usize = 16;
/// Largest attachment if the configuration does not say.
pub const ATTACHMENT_BYTES: u64 = 512 << 20;
/// The largest that it may say.
pub const ATTACHMENT_BYTES_MAX: u64 = 16 << 30;
/// Octets of all attachments on disk together, if the configuration does not say.
pub const ATTACHMENTS_BYTES: u64 = 64 << 30;
/// What an attachment counts for at least there: each has a row in memory and a file.
pub const ATTACHMENT_BYTES_MIN: u64 = 64 << 10;
/// Octets of an attachment that are sealed together.
pub const CHUNK_BYTES: usize = 64 << 10;
/// Attachments that are being received, given out or passed on at once, and most of them of one agency: each has a thread and some
/// chunks in memory.
pub const TRANSFERS_MAX: usize = 64;
/// See `TRANSFERS_MAX`.
pub const AGENCY_TRANSFERS_MAX: usize = 16;
/// Attachments come, and are taken, at least at this rate, in octets a second.
pub const TRANSFER_RATE: u64 = 64 << 10;
/// Room on the disk that attachments leave to the journal.
pub const DISK_RESERVE_BYTES: u64 = 64 << 20;
/// How long the content of an attachment may be named again by its sender without being sent again.
pub const ATTACHMENT_AGAIN_MS: u64 = 24 * 60 * 60 * 1000;
/// Longest certificate inside `KeyInfo`, decoded.
pub const CERTIFICATE_BYTES_MAX: usize = 4 << 10;
/// Longest text of one envelope leaf (a `Note` of 2,000 characters of up to four bytes).
pub const LEAF_TEXT_BYTES_MAX: usize = 8 << 10;
/// Longest text of one payload leaf that is kept whole while it is checked; text and octets that nothing is compared with may be
/// as long as the message, and are checked as they come.
pub const KEPT_TEXT_BYTES_MAX: usize = 64 << 10;
/// Largest document that comes as an attachment.
pub const ATTACHED_DOCUMENT_BYTES_MAX: u64 = 256 << 20;
/// Longest tag of such a document: no message has room for a longer one.
pub const MARKUP_BYTES_MAX: usize = MESSAGE_BYTES_MAX;
/// Most documents in one answer.
pub const DOCUMENTS_MAX: usize = 16;
/// Most paths in one `Select`.
pub const SELECT_PATHS_MAX: usize = 32;
/// Most characters of the path of a field, so that the paths of one `Select`, of whatever alphabet, fit into the private part of a
/// record.
pub const FIELD_PATH_CHARS_MAX: usize = 400;
/// Most octets of `Oncegate-Fields`: with the other fields of a head it has to fit into what servers read of one, often 8 KiB.
pub const FIELDS_HEADER_BYTES_MAX: usize = 6 << 10;
/// Most persons that one request to the desk of an agent may name.
pub const DESK_PERSONS_MAX: usize = 10_000;
/// Most legal bases of one request.
pub const LEGAL_BASES_MAX: usize = 4;
/// Most identifiers of one person or organisation.
pub const IDENTIFIERS_MAX: usize = 4;

/// Largest schema file, and largest `documents.toml`.
pub const SCHEMA_BYTES_MAX: usize = 8 << 20;
/// Most octets in all files of one set of schemas.
pub const SCHEMA_SET_BYTES_MAX: usize = 64 << 20;
/// Most files in one set of schemas.
pub const SCHEMA_FILES_MAX: usize = 2_000;
/// Most files in an archive of schemas, those that are no schemas among them.
pub const SCHEMA_ARCHIVE_FILES_MAX: usize = 10_000;
/// How many times larger than its packed form a file of an archive may be.
pub const SCHEMA_RATIO_MAX: u64 = 200;
/// Most sets of schemas of one gateway.
pub const SCHEMA_SETS_MAX: usize = 64;
/// Most octets in the files of all sets of one gateway.
pub const SCHEMA_SETS_BYTES_MAX: usize = 256 << 20;
/// Most elements, texts and comments in one schema file.
pub const SCHEMA_NODES_MAX: u32 = 1_000_000;
/// Most elements, texts and comments in all files of one set of schemas.
pub const SCHEMA_SET_NODES_MAX: usize = 3_000_000;
/// Most namespaces in scope of all elements of one schema file that declare some.
pub const SCHEMA_BINDINGS_MAX: usize = 1 << 25;
/// How deep elements of a schema file, and groups of a content model, may be nested.
pub const SCHEMA_DEPTH_MAX: usize = 128;
/// Most types, and most elements, of one set of schemas.
pub const SCHEMA_COMPONENTS_MAX: usize = 200_000;
/// In how many steps a type may be derived.
pub const SCHEMA_DERIVATIONS_MAX: usize = 100;
/// Most attributes of one type.
pub const SCHEMA_ATTRIBUTES_MAX: usize = 2_000;
/// Most attributes of all types of one set, and of the groups that they name.
pub const SCHEMA_SET_ATTRIBUTES_MAX: usize = 500_000;
/// Most types that one value is tried against: members of unions, and items of lists of such.
pub const SCHEMA_MEMBERS_MAX: usize = 4_096;
/// Most names in the tables of all content models of one set, and of its substitution groups.
pub const SCHEMA_SET_NAMES_MAX: usize = 4_000_000;
/// Most element particles of all content models of one set.
pub const SCHEMA_SET_PARTICLES_MAX: usize = 1_000_000;
/// Most ways in which counted groups inside each other may be open at one place of a document.
pub const SCHEMA_WAYS_MAX: usize = 512;
/// Most numbers that say where a document stands in all content models that are open at once.
pub const SCHEMA_STACK_MAX: usize = 8_192;
/// Most octets in the caches of patterns that one document is held against.
pub const SCHEMA_CACHE_BYTES_MAX: usize = 160 << 10;
/// Most identity constraints of one element, and of all open ones; and most paths that are followed at once for their fields.
pub const SCHEMA_CANDIDATES_MAX: usize = 256;
/// Most paths of one identity constraint.
pub const SCHEMA_FIELDS_MAX: usize = 64;
/// Most steps of one of them.
pub const SCHEMA_STEPS_MAX: usize = 24;
/// Most keys, IDs and references to them that are kept of one document.
pub const SCHEMA_KEYS_MAX: usize = 8_192;
/// How long a set of schemas may take to be compiled and judged, for each of its roots.
pub const SCHEMA_JUDGED_MS: u64 = 10_000;
/// Address space of the process that compiles and judges it.
pub const SCHEMA_JUDGED_BYTES_MAX: u64 = 512 << 20;
/// Most violations of one document that are told, and most faults of one set.
pub const SCHEMA_TOLD_MAX: usize = 100;
/// Largest document that a command holds against a set of schemas.
pub const SCHEMA_DOCUMENT_BYTES_MAX: u64 = 64 << 20;
/// How deep a folder of schemas may be nested.
pub const SCHEMA_FOLDERS_MAX: usize = 16;
/// Most elements of a document that is made as an example, but for those that must be there.
pub const SCHEMA_EXAMPLE_ELEMENTS: usize = 5_000;
/// Most element paths of one document type: what its schema unfolds to.
pub const SCHEMA_PATHS_MAX: usize = 4 << 10;
/// Most element particles in one content model.
pub const SCHEMA_PARTICLES_MAX: usize = 20_000;
/// Most identifiers in one document.
pub const DOCUMENT_IDENTIFIERS_MAX: usize = 256;
/// Most persons that one document may be about, and most values in it that rules compare.
pub const DOCUMENT_WATCHED_MAX: usize = 64;
/// How many persons, and elements that are looked at for them, a document may have.
pub const DOCUMENT_SCOPES_MAX: usize = 1_024;

/// Greatest distance between `MessageId`'s time, `CreatedAt` and the gateway's clock.
pub const CLOCK_SKEW_MS: u64 = 5 * 60 * 1000;
/// Longest life of a request or an answer.
pub const REQUEST_LIFE_MS: u64 = 24 * 60 * 60 * 1000;
/// Longest life of an event, application, status or cancel message.
pub const EVENT_LIFE_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// How long a message id is remembered; longer than any retry horizon.
pub const IDEMPOTENCY_WINDOW_MS: u64 = 48 * 60 * 60 * 1000;
/// Most exchanges that have ended and are not in the index yet; beyond it no message is taken.
pub const LEDGER_ENDED_MAX: usize = 1 << 20;
/// How many of them are forgotten at a time.
pub const LEDGER_FORGETS: usize = 64;

/// Longest name of a registered agency: two of them fit into a leaf.
pub const AGENCY_BYTES_MAX: usize = 100;
/// Most characters of the names of agent and principal of one delegation together: both are in a leaf, beside a holder's.
pub const DELEGATION_BYTES_MAX: usize = 84;
/// Most characters of the names of an agency and of the one that stands in its place, together: both are in a leaf.
pub const SUCCESSION_BYTES_MAX: usize = 84;
/// Most keys of one agency that are valid at one time.
pub const KEYS_PER_AGENCY_MAX: usize = 4;
/// Longest wait that `Prefer: wait` may ask for.
pub const WAIT_MS_MAX: u64 = 60_000;
/// The wait of a request that states no preference.
pub const WAIT_MS_DEFAULT: u64 = 30_000;

/// Different persons that an agency may ask about on one day if its registry entry does not say, and the most that it may
/// say: each is kept in memory, in about 16 octets.
pub const PERSONS_PER_DAY: u32 = 100_000;
/// See [`PERSONS_PER_DAY`].
pub const PERSONS_PER_DAY_MAX: u32 = 1_000_000;
/// Answers that there is no record which an agency may get on one day if its registry entry does not say, and the most that it may
/// say: whoever tries out identifiers gets more of them than whoever has them from people.
pub const MISSES_PER_DAY: u32 = 10_000;
/// See [`MISSES_PER_DAY`].
pub const MISSES_PER_DAY_MAX: u32 = 1_000_000;
/// Answers of a day from which on their share counts: of fewer, some that there is no record mean nothing.
pub const MISSES_ANSWERS_MIN: u32 = 20;

/// Most records in one commit group.
pub const GROUP_RECORDS_MAX: usize = 512;
/// Octets of a commit group, by which it is cut: recovery reads whole groups into memory.
pub const GROUP_BYTES_MAX: usize = 8 << 20;
/// How long the writer gathers a commit group when records came in while the last one was synced.
pub const GROUP_GATHER_US: u64 = 2_000;
/// Records that come closer upon each other than this come faster than it pays to sync one by one.
pub const GROUP_BUSY_US: u64 = 300;
/// So many records are not waited for longer: a larger group makes each of them hardly cheaper.
pub const GROUP_GATHER_RECORDS: usize = 24;
/// Most keys in one batch for the index: larger batches make sled hold 50 times the memory.
pub const INDEX_BATCH_MAX: usize = 64;
/// Most records that are put into the index together; those of one second or one agency share a key.
pub const INDEX_GATHER_MAX: usize = 4096;
/// Most octets of records that wait for the index: beyond that the journal waits for it, since memory is bounded. They are
/// those of about half a second at full speed.
pub const INDEX_WAITING_BYTES_MAX: usize = 16 << 20;
/// How soon a worker that failed, such as the index, is tried again; each time twice as long, up to `WORKER_RETRY_MS_MAX`.
pub const WORKER_RETRY_MS: u64 = 500;
/// See `WORKER_RETRY_MS`.
pub const WORKER_RETRY_MS_MAX: u64 = 30_000;
/// Room that the journal must have for the gateway to call itself ready: the records of a usual exchange.
pub const ROOM_BYTES_MIN: u64 = 64 << 10;
/// How often it is seen whether messages can be taken, and whether the workers go on.
pub const HEALTH_MS: u64 = 1_000;
/// How long a query waits for the index to catch up.
pub const INDEX_WAIT_MS: u64 = 1_000;
/// Most records of one page.
pub const PAGE_RECORDS_MAX: usize = 1_000;
/// Records of a page that does not say how many.
pub const PAGE_RECORDS: usize = 100;
/// Most pairs of a query.
pub const QUERY_PAIRS_MAX: usize = 32;
/// Longest value of a query that has no form of its own.
pub const QUERY_VALUE_BYTES_MAX: usize = 512;
/// Largest query in a body.
pub const QUERY_BYTES_MAX: usize = 16 << 10;
/// Most records that one summary or one look for anomalies reads.
pub const REPORT_ROWS_MAX: u64 = 20_000_000;
/// Most groups of a summary.
pub const REPORT_GROUPS_MAX: usize = 10_000;
/// Most different pairs, such as of an official and a person, that a look for anomalies keeps in memory.
pub const REPORT_PAIRS_MAX: usize = 1_000_000;
/// Most anomalies of one kind that are told.
pub const ANOMALIES_MAX: usize = 100;
/// Most reports and exports that are made at once, and most of one agency.
pub const REPORTS_MAX: usize = 4;
/// See `REPORTS_MAX`.
pub const AGENCY_REPORTS_MAX: usize = 2;
/// Most questions to the log that are worked on for one agency at once; the others wait.
pub const AGENCY_READS_MAX: usize = 2;
/// Most of all agencies together: each has a thread.
pub const READS_MAX: usize = 64;
/// An agency may read so many times for each message that it may send.
pub const READS_PER_REQUEST: u32 = 10;
/// An answer to a read costs one read more for each of so many octets.
pub const READ_BYTES: u64 = 16 << 10;
/// About how many octets of an export are made at a time.
pub const EXPORT_CHUNK_BYTES: usize = 64 << 10;
/// How long an export waits for whoever reads it.
pub const EXPORT_STALL_MS: u64 = 30_000;
/// Longest line of an export: the first, with a checkpoint and the hashes left of the range.
pub const EXPORT_LINE_BYTES_MAX: u64 = 2 * NOTE_BYTES_MAX as u64;
/// Longest time, in days, that a grant may keep accesses from the citizen.
pub const WITHHELD_DAYS_MAX: u16 = 3650;
/// Most rows that one page of a search looks at; then it says where to go on.
pub const SEARCH_ROWS_MAX: usize = 100_000;
/// Most blocks of 341 postings that one page of a search reads; then it says where to go on.
pub const SEARCH_BLOCKS_MAX: u64 = 8_192;
/// Most blocks, of postings and rows, that counting by time reads one by one; beyond that it looks at a part and says so.
pub const COUNT_BLOCKS_MAX: u64 = 12_288;
/// Most records that are read to count those of a message or a case: of more, rows alone decide, and it says so.
pub const COUNT_LEAVES_MAX: usize = 1_000;
/// Most agencies of which the figures of traffic are kept one by one; of others they are in the sums alone.
pub const TRAFFIC_AGENCIES_MAX: usize = 16_384;
/// Most hours of agencies that are kept; of more, the oldest hours go.
pub const TRAFFIC_AGENCY_HOURS_MAX: usize = 500_000;
/// Most refusals by quota that are kept of an agency.
pub const TRAFFIC_REJECTIONS_MAX: usize = 20;
/// Most records that a start looks at for figures of traffic, in the background.
pub const TRAFFIC_ROWS_MAX: u64 = 4_000_000;
/// Most leaves that it reads for them: of refusals, a record may stand for several.
pub const TRAFFIC_LEAVES_MAX: usize = 20_000;
/// Most buckets of a histogram of the log.
pub const HISTOGRAM_BUCKETS_MAX: usize = 96;
/// Records that a volume has before it may be closed for its age, and that age.
pub const VOLUME_RECORDS_MIN: u64 = 1 << 16;
/// How often upkeep is done: each time one closed segment and one volume are read again.
pub const UPKEEP_MS: u64 = 10 * 60 * 1000;
/// Age at which a volume is closed.
pub const VOLUME_MS: u64 = 24 * 60 * 60 * 1000;
/// Size of a journal segment.
pub const SEGMENT_BYTES_MAX: u64 = 256 << 20;
/// How far a segment is written with zeros ahead of its end, so that `fdatasync` has no metadata to write.
pub const PREWRITE_BYTES: u64 = 8 << 20;
/// Largest leaf of the log.
pub const LEAF_BYTES_MAX: usize = 1 << 10;
/// Longest name of a log or a witness.
pub const LOG_NAME_BYTES_MAX: usize = 255;
/// Largest signed note: a checkpoint with the cosignatures of sixteen witnesses, with room for longer signatures.
pub const NOTE_BYTES_MAX: usize = 64 << 10;
/// Largest proof: a leaf, 63 hashes and a checkpoint.
pub const PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + (8 << 10);
/// Most proofs in one receipt.
pub const RECEIPT_PROOFS_MAX: usize = 256;
/// Octets of a legal basis in a leaf.
pub const BASIS_BYTES_MAX: usize = 80;
/// Octets of a person's tag in a leaf: twelve cannot be guessed, and four tags still fit.
pub const TAG_BYTES: usize = 12;
/// Largest private part of a frame: identifiers, fields, a reason, sealed, and their head.
pub const PRIVATE_BYTES_MAX: usize = 64 << 10;
/// Longest reason for reading the log.
pub const REASON_BYTES_MAX: usize = 1 << 10;
/// How long what somebody has proposed at the console waits for another person, in milliseconds.
pub const PROPOSAL_MS: u64 = 14 * 24 * 60 * 60 * 1000;
/// Octets of the cause of a refusal that are kept, sealed.
pub const CAUSE_BYTES_MAX: usize = 1 << 10;
/// Largest body of a frame: a whole message, sealed.
pub const BODY_BYTES_MAX: usize = MESSAGE_BYTES_MAX + 16;
/// Most records of a volume.
pub const VOLUME_RECORDS_MAX: u64 = 1 << 18;
/// Largest policy file about logs and witnesses.
pub const WITNESS_POLICY_BYTES_MAX: usize = 64 << 10;
/// Most logs, witnesses and groups in it, each; C2SP tlog-policy asks for at least 32.
pub const WITNESS_POLICY_NAMES_MAX: usize = 64;
/// Most witnesses that a log asks, so that a checkpoint with all their cosignatures is a note.
pub const WITNESSES_MAX: usize = 16;
/// Most logs that a witness knows.
pub const WITNESSED_LOGS_MAX: usize = 1024;
/// Largest request to a witness: 63 hashes and a checkpoint.
pub const WITNESS_REQUEST_BYTES_MAX: usize = NOTE_BYTES_MAX + (4 << 10);
/// Most connections of a witness.
pub const WITNESS_CONNECTIONS_MAX: usize = 1024;
/// Deadline for a witness's answer and for a time stamp.
pub const WITNESS_MS: u64 = 5_000;
/// Largest answer of a time stamping authority: a token with its certificates.
pub const STAMP_BYTES_MAX: usize = 64 << 10;

/// Longest request head: request line and header fields together.
pub const HEAD_BYTES_MAX: usize = 16 << 10;
/// Most header fields of one request.
pub const HEADERS_MAX: usize = 64;
/// Deadline for the TLS handshake.
pub const HANDSHAKE_MS: u64 = 5_000;
/// Deadline for the first request of a connection, and for each later head from its first octet on.
pub const HEAD_MS: u64 = 5_000;
/// Octets of a connection that belong to no request: settings, windows, pings. Each request and each answer adds to them.
pub const UNASKED_BYTES_MAX: u64 = 256 << 10;
/// How often a connection is asked whether it still does something.
pub const PULSE_MS: u64 = 500;
/// In so long a peer that is being answered takes at least `STALL_BYTES`, or is cut off.
pub const STALL_MS: u64 = 10_000;
/// See `STALL_MS`: 16 KiB per second.
pub const STALL_BYTES: usize = 160 << 10;
/// Deadline for a request body.
pub const BODY_MS: u64 = 10_000;
/// How long the body of a refused request is read and forgotten.
pub const DISCARD_MS: u64 = 1_000;
/// A peer that is still sending when its connection is closed is listened to for at most so long in all,
pub const LINGER_MS: u64 = 10_000;
/// and for so long while nothing comes,
pub const LINGER_PAUSE_MS: u64 = 2_000;
/// and for so many octets,
pub const LINGER_BYTES_MAX: u64 = 64 << 20;
/// if no more than so many are listened to at that time.
pub const LINGERING_MAX: usize = 256;
/// How long a body is waited for on HTTP/2 whose sender expects to be told to go on, which nobody can do there.
pub const EXPECT_MS: u64 = 250;
/// How long a connection may stay idle between requests.
pub const IDLE_MS: u64 = 60_000;
/// Deadline for a provider's answer to a question; one that takes longer answers `202` and sends it later.
pub const ANSWER_MS: u64 = 30_000;
/// Deadline for a provider's connection and TLS handshake.
pub const CONNECT_MS: u64 = 3_000;
/// Most connections at one listener.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Most connections that have not shaken hands yet, so that they never take the room of those that have.
pub const HANDSHAKES_MAX: usize = 2_048;
/// Most of them from one address.
pub const ADDRESS_HANDSHAKES_MAX: u32 = 512;
/// Most connections of one address: an IPv4 address, or the first 64 bits of an IPv6 address.
pub const ADDRESS_CONNECTIONS_MAX: u32 = 2_048;
/// New connections of one address per second, and how many may come at once; the others wait.
pub const ADDRESS_PER_SECOND: u32 = 250;
/// See `ADDRESS_PER_SECOND`.
pub const ADDRESS_BURST: u32 = 1_000;
/// Most connections with one client certificate.
pub const CERTIFICATE_CONNECTIONS_MAX: u32 = 256;
/// New connections with one client certificate per second, and how many may come at once; the others wait.
pub const CERTIFICATE_PER_SECOND: u32 = 100;
/// See `CERTIFICATE_PER_SECOND`.
pub const CERTIFICATE_BURST: u32 = 1_000;
/// Most addresses, and most certificates, whose connections are counted.
pub const DOORS_MAX: usize = 64 << 10;
/// Most ways in which authorities and revocation lists of one name are laid out for checking paths; the price of a handshake.
pub const AUTHORITY_VIEWS_MAX: usize = 16;
/// Lines about failed handshakes in a minute; the others are counted.
pub const SPARING_LINES_PER_MINUTE: u32 = 30;
/// Characters of a refused certificate's subject in such a line.
pub const SUBJECT_SHOWN_MAX: usize = 200;
/// How long before its end a certificate is said to end.
pub const EXPIRY_NOTICE_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// For how many days a conformance report counts for going live.
pub const CONFORMANCE_DAYS: u64 = 30;
/// How often certificates and revocation lists are looked at while the gateway runs.
pub const EXPIRY_LOOK_MS: u64 = 24 * 60 * 60 * 1000;
/// Octets of all request bodies that are being read or worked on, together.
pub const BODIES_BYTES_MAX: usize = 256 << 20;
/// Most streams of one HTTP/2 connection.
pub const STREAMS_MAX: u32 = 64;
/// Most streams of one HTTP/2 connection that were reset and are not yet done with.
pub const RESETS_MAX: usize = 32;
/// Idle connections kept to one provider.
pub const POOL_IDLE_MAX: usize = 128;
/// How long a connection to a provider may wait for the next request.
pub const POOL_IDLE_MS: u64 = 30_000;
/// When a message is given to a new connection as well, because one that had waited gives no head; at most half of the deadline.
pub const AGAIN_MS: u64 = 3_000;
/// How often TCP asks whether a provider is still there, while nothing is said.
pub const KEEPALIVE_MS: u64 = 15_000;
/// A connection to a provider breaks that has not acknowledged what was sent for so long.
pub const UNACKNOWLEDGED_MS: u32 = 10_000;
/// How long a stopping gateway waits for its open exchanges.
pub const DRAIN_MS: u64 = 30_000;
/// How long it then waits for the last responses to go out.
pub const CLOSE_MS: u64 = 2_000;
/// Largest configuration, registry or schema file.
pub const FILE_BYTES_MAX: u64 = 256 << 20;

/// Longest line of a call from a command to the running gateway of its folder, and of its answer.
pub const CONTROL_BYTES_MAX: u64 = 1 << 20;
/// How long such a command waits for the answer.
pub const CONTROL_MS: u64 = 30_000;
/// How long such a command waits where the gateway reads everything again, and has schemas judged.
pub const RELOAD_MS: u64 = 600_000;
/// How long the gateway waits for the line of such a call.
pub const CONTROL_LINE_MS: u64 = 2_000;
/// Most holders of which such a command is told when they answered last.
pub const HOLDERS_TOLD_MAX: usize = 500;
/// Requests that a holder has at once, if its registry entry does not say, and the most that it may say.
pub const HOLDER_PARALLEL: u32 = 64;
/// See `HOLDER_PARALLEL`.
pub const HOLDER_PARALLEL_MAX: u32 = 1_024;
/// Requests that wait for a place at a holder, if its registry entry does not say, and the most that it may say.
pub const HOLDER_WAITING: u32 = 256;
/// See `HOLDER_WAITING`.
pub const HOLDER_WAITING_MAX: u32 = 4_096;
/// A holder is left alone after so many failures in a row, if its registry entry does not say, and the most that it may say.
pub const HOLDER_FAILURES: u32 = 5;
/// See `HOLDER_FAILURES`.
pub const HOLDER_FAILURES_MAX: u32 = 1_000;
/// For how long a holder that failed is left alone at first, in milliseconds; then twice as long each time,
pub const HOLDER_PAUSE_MS: u64 = 1_000;
/// at most for so long.
pub const HOLDER_PAUSE_MS_MAX: u64 = 60_000;
/// Octets of the messages that one holder has or that wait for it: an eighth of `BODIES_BYTES_MAX`.
pub const HOLDER_BYTES_MAX: usize = BODIES_BYTES_MAX / 8;
/// Most holders that metrics name; the others are one.
pub const HOLDERS_MEASURED_MAX: usize = 100;
/// How many kept questions are on their way to one holder at once.
pub const DELIVERIES_PER_HOLDER: usize = 16;
/// How long a holder that could not be reached is left alone at first, in milliseconds; then twice as long each time.
pub const DELIVERY_PAUSE_MS: u64 = 1_000;
/// How long at most.
pub const DELIVERY_PAUSE_MS_MAX: u64 = 300_000;
/// How many that wait for one receiver are looked at to find one that can be handed out.
pub const WORK_SCAN_MAX: usize = 256;
/// How long a worker has on lease what it came for, in milliseconds, unless it asks for more.
pub const LEASE_MS: u64 = 60_000;
/// How many messages a worker gets at once.
pub const INBOX_MAX: usize = 100;
/// How many octets it gets at once, unless the first message alone is larger.
pub const INBOX_BYTES_MAX: usize = 8 << 20;
/// Most variants of one event, beside the event itself.
pub const VARIANTS_MAX: usize = 7;
/// How often open work is saved, in milliseconds: a start reads the records behind that again.
pub const WORK_SAVED_MS: u64 = 10_000;
/// How many kept questions are on their way at once.
pub const DELIVERIES_MAX: usize = 256;
/// Characters of a condition.
pub const CONDITION_CHARACTERS_MAX: usize = 2_000;
/// How deep brackets and `!` of a condition may be nested.
pub const CONDITION_DEPTH_MAX: usize = 64;
/// Different facts in a condition.
pub const CONDITION_FACTS_MAX: usize = 64;
/// Files of a catalogue of life situations.
pub const CATALOGUE_FILES_MAX: usize = 4_096;
/// Octets of all of them.
pub const CATALOGUE_BYTES_MAX: usize = 32 << 20;
/// Mistakes that are told of a catalogue.
pub const CATALOGUE_ERRORS_MAX: usize = 100;
/// Facts that a catalogue knows.
pub const CATALOGUE_FACTS_MAX: usize = 4_096;
/// Characters of a text for people in a catalogue.
pub const CATALOGUE_TEXT_MAX: usize = 300;
/// Octets of a file about quality: a questionnaire, a register, priorities, studies.
pub const QUALITY_FILE_BYTES_MAX: usize = 4 << 20;
/// Files of a folder about quality.
pub const QUALITY_FILES_MAX: usize = 256;
/// Characters of a comment in an answer to a questionnaire.
pub const COMMENT_CHARACTERS_MAX: usize = 2_000;
/// Octets of a line that is kept of one answer: a character of a comment may be written with twelve.
pub const RATING_BYTES_MAX: usize = 32 << 10;
/// Agencies that took part in what one answer is about.
pub const RATING_AGENCIES_MAX: usize = 64;
/// For how long a link takes the answer of whoever is asked how it was: 60 days.
pub const SURVEY_LINK_MS: u64 = 60 * 24 * 60 * 60 * 1000;
/// Answers that lie together before they are spread over their months.
pub const RATINGS_RECENT_MAX: usize = 256;
/// Octets of the answers of a month.
pub const RATINGS_MONTH_BYTES_MAX: u64 = 64 << 20;
/// Answers that were given and are not yet apart from their cases: what is left of these by crashes and full disks.
pub const RATINGS_PENDING_MAX: usize = 1_000;
/// Times that an agency offers for a step at once.
pub const SLOTS_MAX: usize = 64;
/// Steps that are attended on one day.
pub const VISITS_MAX: usize = 6;
/// Answers of a citizen in one message about a case.
pub const CASE_ANSWERS_MAX: usize = 64;
/// After how long a case is looked at again in which nothing could be done, in milliseconds.
pub const CASE_AGAIN_MS: u64 = 60_000;
/// Records of cases that are looked at together for a citizen's trail.
pub const TRAIL_LOOK: usize = 500;
/// Octets of the changes of a case in one record.
pub const CASE_CHANGES_BYTES_MAX: usize = 48 << 10;
/// Cases that are kept in memory beside the log.
pub const CASES_KEPT_MAX: usize = 256;
/// Steps of a situation, with those of an overlay.
pub const SITUATION_STEPS_MAX: usize = 256;
/// How long a mail server may take for one notice.
pub const MAIL_MS: u64 = 30_000;
/// How long the end of a connection to it is waited for, when it has the notice.
pub const MAIL_END_MS: u64 = 1_000;
/// Octets of a reply of a mail server before TLS begins.
pub const MAIL_REPLY_BYTES_MAX: usize = 8 << 10;
/// How long a webhook may take to confirm a notice.
pub const WEBHOOK_MS: u64 = 10_000;
/// Octets that are read of what it answers beside its status.
pub const WEBHOOK_ANSWER_BYTES_MAX: usize = 64 << 10;
/// Webhooks in the operator's own network.
pub const WEBHOOK_HOSTS_MAX: usize = 64;
/// How long a provider of OpenID Connect may take for one document.
pub const OIDC_MS: u64 = 10_000;
/// Octets of one: its description, its keys, a token, what it says of a person.
pub const OIDC_DOCUMENT_BYTES_MAX: usize = 128 << 10;
/// Keys that are looked at of a provider.
pub const OIDC_KEYS_MAX: usize = 100;
/// How long its description and its keys are kept before they are read again.
pub const OIDC_KEPT_MS: u64 = 3_600_000;
/// How long its keys are not read again for a key that is unknown.
pub const OIDC_KEYS_AGAIN_MS: u64 = 60_000;
/// Greatest distance between the provider's clock and the gateway's.
pub const OIDC_SKEW_MS: u64 = 60_000;
/// Octets of the query with which a person comes back from the provider.
pub const OIDC_QUERY_BYTES_MAX: usize = 8 << 10;
/// How long somebody may take to sign in at the provider.
pub const OIDC_PENDING_MS: u64 = 600_000;
/// Sign-ins that have begun and not ended; of more the oldest is forgotten.
pub const OIDC_PENDING_MAX: usize = 10_000;
/// Groups of the provider that are given roles.
pub const OIDC_GROUPS_MAX: usize = 256;
/// Largest file that is a source of rows, as it lies on the disk.
pub const SOURCE_FILE_BYTES_MAX: u64 = 1 << 30;
/// Most rows in it.
pub const SOURCE_FILE_ROWS_MAX: usize = 2_000_000;
/// How often a file is read that changes while it is read.
pub const SOURCE_FILE_READS: u32 = 3;
/// Most columns of a source.
pub const SOURCE_COLUMNS_MAX: usize = 1_000;
/// Longest cell of a source.
pub const SOURCE_CELL_BYTES_MAX: usize = 64 << 10;
/// Rows that a source gives for one question if its configuration does not say.
pub const SOURCE_ROWS: usize = 100;
/// The most that it may say.
pub const SOURCE_ROWS_MAX: usize = 1_000;
/// Octets that a source gives for one question.
pub const SOURCE_ANSWER_BYTES_MAX: usize = 1 << 20;
/// How long a service or a program that is a source may take for one question.
pub const SOURCE_ANSWER_MS: u64 = 5_000;
/// How long a statement may take if the configuration of its source does not say.
pub const SOURCE_STATEMENT_MS: u64 = 2_000;
/// The longest that it may say.
pub const SOURCE_STATEMENT_MS_MAX: u64 = 10_000;
/// How much longer than its statement a database is waited for that says nothing.
pub const SOURCE_SILENT_MS: u64 = 1_000;
/// Largest file with a statement.
pub const SOURCE_STATEMENT_BYTES_MAX: usize = 64 << 10;
/// Most connections to a database, and most programs of a source that run at once.
pub const SOURCE_PARALLEL_MAX: usize = 4;
/// How long the output of a program is still read when it has ended and somebody else holds it open.
pub const SOURCE_PROGRAM_END_MS: u64 = 200;
/// Largest file with a password or a token.
pub const SOURCE_SECRET_BYTES_MAX: usize = 4 << 10;
/// Rows of a file that are named one by one because nobody can ask for them.
pub const SOURCE_TOLD_MAX: usize = 10;
/// Answers of an agent that are said again when their question comes again; of more the oldest goes.
pub const AGENT_REPEATS_MAX: usize = 1_000;
/// Octets of them.
pub const AGENT_REPEATS_BYTES_MAX: usize = 16 << 20;
/// Most requests to take part that wait for a decision.
pub const JOINS_MAX: usize = 100;
/// How long such a request is kept: 30 days.
pub const JOIN_KEPT_MS: u64 = 30 * 24 * 60 * 60 * 1000;
/// Largest such request.
pub const JOIN_BYTES_MAX: usize = 16 << 10;
/// Most document types that it names.
pub const JOIN_HOLDS_MAX: usize = 50;
/// Longest name for people in it, in characters.
pub const JOIN_NAME_CHARS_MAX: usize = 200;
/// The most days for which the door is opened.
pub const JOIN_DAYS_MAX: u64 = 90;
