//! XSD validation of payloads.
