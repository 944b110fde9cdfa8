-- From a route's handler to its function: every call is written out, so that no name from a request ever becomes SQL.

create function memory_profile_http._dispatch(handler text, call memory_profile_http.request_data) returns memory_profile_http.response
language plpgsql
set search_path = pg_catalog, memory_profile_http, memory_profile, pg_temp
as $$
begin
  return case handler
    when 'v4_profile' then v4_profile(call)
    when 'v4_profile_buckets' then v4_profile_buckets(call)
    when 'v4_search' then v4_search(call)
    when 'v4_memories_create' then v4_memories_create(call)
    when 'v4_memories_update' then v4_memories_update(call)
    when 'v4_memories_forget' then v4_memories_forget(call)
    when 'v4_memories_list' then v4_memories_list(call)
    when 'v4_memories_forget_matching' then v4_memories_forget_matching(call)
    when 'v4_conversations' then v4_conversations(call)
    when 'v3_documents_add' then v3_documents_add(call)
    when 'v3_documents_batch' then v3_documents_batch(call)
    when 'v3_documents_file' then v3_documents_file(call)
    when 'v3_documents_list' then v3_documents_list(call)
    when 'v3_documents_processing' then v3_documents_processing(call)
    when 'v3_documents_bulk' then v3_documents_bulk(call)
    when 'v3_documents_chunks' then v3_documents_chunks(call)
    when 'v3_documents_get' then v3_documents_get(call)
    when 'v3_documents_update' then v3_documents_update(call)
    when 'v3_documents_delete' then v3_documents_delete(call)
    when 'v3_search' then v3_search(call)
    when 'v3_container_tags_list' then v3_container_tags_list(call)
    when 'v3_container_tags_get' then v3_container_tags_get(call)
    when 'v3_container_tags_update' then v3_container_tags_update(call)
    when 'v3_container_tags_delete' then v3_container_tags_delete(call)
    when 'v3_settings_get' then v3_settings_get(call)
    when 'v3_settings_update' then v3_settings_update(call)
    when 'mnexium_profiles_get' then mnexium_profiles_get(call)
    when 'mnexium_profiles_patch' then mnexium_profiles_patch(call)
    when 'mnexium_profiles_delete' then mnexium_profiles_delete(call)
    when 'mnexium_profiles_schema' then mnexium_profiles_schema(call)
    when 'getprofile_export' then getprofile_export(call)
    when 'getprofile_get' then getprofile_get(call)
    when 'getprofile_delete' then getprofile_delete(call)
    when 'getprofile_ai_update' then getprofile_ai_update(call)
    when 'getprofile_ai_get' then getprofile_ai_get(call)
    when 'getprofile_ai_delete' then getprofile_ai_delete(call)
  end;
end
$$;
