//! agent_card
