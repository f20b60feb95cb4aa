//! Kill -9 anywhere: of the agent, of Redis, of both.
