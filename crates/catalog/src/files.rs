//! The files in `services/`, as text in the program. A test compares this list with the folder.

/// Declares the list.
macro_rules! files {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../services/", $name, ".toml")))),+]
    };
}

/// File name without its ending, and content.
pub(crate) const FILES: &[(&str, &str)] = files![
    "airtable",
    "anthropic",
    "asana",
    "assemblyai",
    "bitbucket",
    "circleci",
    "cloudflare",
    "cohere",
    "deepseek",
    "digitalocean",
    "elevenlabs",
    "figma",
    "fireworks",
    "fly",
    "gemini",
    "github",
    "githubmcp",
    "gitlab",
    "grafana",
    "groq",
    "heroku",
    "hubspot",
    "huggingface",
    "linear",
    "linearmcp",
    "mailgun",
    "mistral",
    "netlify",
    "notion",
    "notionmcp",
    "ollama",
    "openai",
    "openrouter",
    "perplexity",
    "pinecone",
    "replicate",
    "resend",
    "sendgrid",
    "sentry",
    "sentrymcp",
    "slack",
    "stripe",
    "stripemcp",
    "supabase",
    "terraform",
    "todoist",
    "together",
    "twilio",
    "vercel",
    "xai",
];
