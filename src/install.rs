//! The install order: one line per file of `sql/`, each after the one above it.

use pgrx::extension_sql_file;

extension_sql_file!("../sql/00_types.sql", name = "types", bootstrap);
extension_sql_file!("../sql/10_vector.sql", name = "vector", requires = ["types"]);
extension_sql_file!("../sql/11_halfvec.sql", name = "halfvec", requires = ["vector"]);
extension_sql_file!("../sql/12_pgvector.sql", name = "pgvector", requires = ["halfvec"]);
extension_sql_file!("../sql/13_scoped_vector.sql", name = "scoped_vector", requires = ["pgvector"]);
extension_sql_file!(
    "../sql/20_projects.sql",
    name = "projects",
    requires = ["scoped_vector", _session_project, _session_subjects, _subject_key]
);
extension_sql_file!("../sql/21_subjects.sql", name = "subjects", requires = ["projects", _check_subject]);
extension_sql_file!("../sql/22_events.sql", name = "events", requires = ["subjects", _worker_notifies]);
extension_sql_file!("../sql/30_memories.sql", name = "memories", requires = ["events", _check_scoring, _is_memory]);
extension_sql_file!(
    "../sql/31_digests.sql",
    name = "digests",
    requires = ["memories", _digest, _digest_blocks, _digest_first, _digest_at_once]
);
extension_sql_file!(
    "../sql/31_signatures.sql",
    name = "signatures",
    requires = ["digests", _signature, _signatures_revised, _encode, _encode_ahead]
);
extension_sql_file!("../sql/31_versions.sql", name = "versions", requires = ["signatures"]);
extension_sql_file!("../sql/32_profiles.sql", name = "profiles", requires = ["versions"]);
extension_sql_file!(
    "../sql/33_consolidation.sql",
    name = "consolidation",
    requires = [
        "profiles",
        _gist,
        _gists_of_beginnings,
        _places_meeting,
        _statement_relation,
        _same_value,
        _least_cosine,
        _known_as,
        _tells_of_plan
    ]
);
extension_sql_file!("../sql/33_batches.sql", name = "batches", requires = ["consolidation"]);
extension_sql_file!("../sql/33_restoring.sql", name = "restoring", requires = ["batches"]);
extension_sql_file!(
    "../sql/34_documents.sql",
    name = "documents",
    requires = ["restoring", _page_text, _document_title]
);
extension_sql_file!("../sql/35_vectors.sql", name = "vectors", requires = ["documents"]);
extension_sql_file!("../sql/36_memory_events.sql", name = "memory_events", requires = ["vectors"]);
extension_sql_file!(
    "../sql/40_search.sql",
    name = "search",
    requires = ["memory_events", memory_search, memory_search_explain]
);
extension_sql_file!(
    "../sql/42_portability.sql",
    name = "portability",
    requires = ["search", _field_sentence, _profile_summary, _trait_type, _uuid_or_null]
);
extension_sql_file!(
    "../sql/43_profile_context.sql",
    name = "profile_context",
    requires = ["portability", _count_tokens]
);
extension_sql_file!("../sql/60_jobs.sql", name = "jobs", requires = ["profile_context", _languages]);
extension_sql_file!("../sql/60_jobs_running.sql", name = "jobs_running", requires = ["jobs", _long_text]);
extension_sql_file!("../sql/60_jobs_learning.sql", name = "jobs_learning", requires = ["jobs_running", _extract]);
extension_sql_file!("../sql/60_jobs_embedding.sql", name = "jobs_embedding", requires = ["jobs_learning"]);
extension_sql_file!(
    "../sql/61_webhooks.sql",
    name = "webhooks",
    requires = ["jobs_embedding", _check_webhook_url, _check_webhook_secret, _webhook_signature]
);
extension_sql_file!("../sql/62_status.sql", name = "status", requires = ["webhooks"]);
extension_sql_file!("../sql/63_models.sql", name = "models", requires = ["status", _chat_endpoint]);
extension_sql_file!(
    "../sql/64_embeddings.sql",
    name = "embeddings",
    requires = ["models", _embeddings_endpoint, _unpack_embeddings]
);
extension_sql_file!("../sql/65_summaries.sql", name = "summaries", requires = ["embeddings"]);
extension_sql_file!("../sql/70_http.sql", name = "http", requires = ["summaries"]);
extension_sql_file!("../sql/70_http_members.sql", name = "http_members", requires = ["http"]);
extension_sql_file!("../sql/71_http_supermemory.sql", name = "http_supermemory", requires = ["http_members"]);
extension_sql_file!(
    "../sql/71_http_supermemory_documents.sql",
    name = "http_supermemory_documents",
    requires = ["http_supermemory"]
);
extension_sql_file!(
    "../sql/71_http_supermemory_files.sql",
    name = "http_supermemory_files",
    requires = ["http_supermemory_documents", _upload]
);
extension_sql_file!("../sql/72_http_mnexium.sql", name = "http_mnexium", requires = ["http_supermemory_files"]);
extension_sql_file!("../sql/73_http_getprofile.sql", name = "http_getprofile", requires = ["http_mnexium"]);
extension_sql_file!("../sql/74_http_getprofile_ai.sql", name = "http_getprofile_ai", requires = ["http_getprofile"]);
extension_sql_file!("../sql/79_http_dispatch.sql", name = "http_dispatch", requires = ["http_getprofile_ai"]);
extension_sql_file!("../sql/80_plans.sql", name = "plans", requires = ["http_dispatch"]);
extension_sql_file!("../sql/90_grants.sql", name = "grants", finalize);
