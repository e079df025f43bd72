//! What waits to be written: small bytes in one buffer, large payloads as they are.
