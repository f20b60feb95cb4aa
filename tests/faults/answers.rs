//! Every answer an intake, a proxy or TLS can give, and every way a connection can end.
