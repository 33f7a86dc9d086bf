"""Where the control API answers otherwise than k6 did, on purpose: reasons and exchanges.

Only what the API decides; what load tests decide is in ``tests/run``.
"""

NO_REPLY = "k6 does not answer, or its client had gone: there is nothing to compare"
CUT_OFF = "only the beginning of the body was recorded: status and type are compared"
DEVIATIONS = {
    NO_REPLY: """
        ext_status_after_stop setup_slow_client_disconnect
        extdur_patch_vus_after_end extdur_patch_pause_after_end""",
    CUT_OFF: "accept_json accept_encoding_gzip",
    "pause, resume and scale work on every executor and in every phase before the end": """
        patch_pause_constant_vus_running patch_resume_constant_vus_running
        patch_vusmax_constant_vus_running init_patch_pause_true
        extdur_pause_during_setup extdur_resume_during_setup
        later_pause_before_executor_start stopping_pause
        mixedorder_pause_partial mixedorder_resume""",
    "after the end the error says that the load test has ended": "patch_pause_after_end",
    "after an abort `running` is false": """
        kind_abort_status_linger kind_threshold_delay_status_linger
        kind_rest_stop_status_linger kind_long_teardown_status_linger""",
    "objects in place of numbers and flags are a leak of k6's Go types": """
        patch_bad_vus_object patch_bad_vus_object_null patch_bad_paused_obj""",
    "the envelope of the documentation is unwrapped": "setup_put_envelope_as_in_seed_doc",
    "a number that is not finite is null and breaks no list": """
        weird_metric_wt weird_metric_wc weird_metric_all""",
    "pages of other sites are refused": "cors_origin cors_preflight",
    "a request addressed to another host is refused (DNS rebinding)": "absolute_form",
    "Hypercorn writes methods in capitals": "method_lowercase_get",
    "there is no Go runtime to profile: the path is as unknown as any other": """
        path_pprof path_pprof_noslash path_pprof_heap path_vars_noslash
        profiling_on_index profiling_on_cmdline profiling_on_goroutine
        profiling_on_vars profiling_env_var""",
    "`/metrics` is for Prometheus": "path_prom_metrics",
    "k6 counts the VUs of a second scenario, which the fake does not have": "two_vus2",
}


def reasons(deviations: dict[str, str]) -> dict[str, str]:
    """Return the reason of each exchange that is named in a table such as `DEVIATIONS`."""
    return {name: reason for reason, names in deviations.items() for name in names.split()}
