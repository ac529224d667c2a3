"""What the parts report is what ``/metrics`` shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daemon.observe.metrics import Metrics
from daemon.records import State

if TYPE_CHECKING:
    from daemon.pipeline.figures import PipelineFigures
    from daemon.receive.dimse.events import ReceiverEvents
    from daemon.receive.watch.events import WatchEvents
    from daemon.workers.pool import PoolFigures


def shown(metrics: Metrics) -> list[str]:
    return metrics.exposition().decode().splitlines()


def test_the_receivers_count_instances_and_bytes() -> None:
    metrics = Metrics()
    dimse: ReceiverEvents = metrics.dimse
    folder: WatchEvents = metrics.watch("/srv/inbox")
    dimse.instance_received(1000)
    dimse.instance_received(24)
    folder.instance_received(1)
    metrics.stow.instance_received(2)
    lines = shown(metrics)
    assert 'dicomveil_instances_received_total{receiver="dimse"} 2.0' in lines
    assert 'dicomveil_received_bytes_total{receiver="dimse"} 1024.0' in lines
    assert 'dicomveil_instances_received_total{receiver="watch"} 1.0' in lines
    assert 'dicomveil_instances_received_total{receiver="stow"} 1.0' in lines


def test_refusals_are_counted_by_reason() -> None:
    metrics = Metrics()
    metrics.dimse.instance_refused("out_of_resources")
    metrics.watch("/srv/inbox").file_refused("not_dicom")
    lines = shown(metrics)
    assert (
        'dicomveil_instances_refused_total{reason="out_of_resources",receiver="dimse"} 1.0' in lines
    )
    assert 'dicomveil_instances_refused_total{reason="not_dicom",receiver="watch"} 1.0' in lines


def test_associations_are_counted_by_what_became_of_them() -> None:
    metrics = Metrics()
    metrics.dimse.association_accepted()
    metrics.dimse.association_rejected("limit")
    metrics.dimse.association_aborted("idle")
    lines = shown(metrics)
    assert "dicomveil_associations_accepted_total 1.0" in lines
    assert 'dicomveil_associations_rejected_total{reason="limit"} 1.0' in lines
    assert 'dicomveil_associations_aborted_total{reason="idle"} 1.0' in lines


def test_two_watched_folders_are_told_apart() -> None:
    metrics = Metrics()
    metrics.watch("/a").files_waiting(3)
    metrics.watch("/b").files_waiting(5)
    lines = shown(metrics)
    assert 'dicomveil_watch_files_waiting{folder="/a"} 3.0' in lines
    assert 'dicomveil_watch_files_waiting{folder="/b"} 5.0' in lines


def test_the_pipeline_counts_what_it_settles() -> None:
    metrics = Metrics()
    pipeline: PipelineFigures = metrics.pipeline
    pipeline.begun(2)
    pipeline.settled(State.STORED, "", 0.2, 100)
    pipeline.settled(State.QUARANTINED, "not_dicom", 0.1, 50)
    pipeline.postponed("worker_timeout")
    pipeline.waited("due")
    lines = shown(metrics)
    assert "dicomveil_instances_begun_total 2.0" in lines
    assert 'dicomveil_instances_settled_total{reason="",state="stored"} 1.0' in lines
    assert 'dicomveil_instances_settled_total{reason="not_dicom",state="quarantined"} 1.0' in lines
    assert "dicomveil_settled_bytes_total 150.0" in lines
    assert "dicomveil_processing_seconds_count 2.0" in lines


def test_the_pool_counts_its_processes() -> None:
    metrics = Metrics()
    pool: PoolFigures = metrics.pool
    pool.worker_started(0.5)
    pool.worker_ended("worker_timeout")
    lines = shown(metrics)
    assert "dicomveil_workers_started_total 1.0" in lines
    assert 'dicomveil_workers_ended_total{reason="worker_timeout"} 1.0' in lines


def test_requests_are_told_by_the_pattern_of_the_route() -> None:
    metrics = Metrics()
    metrics.request("/studies/{study}", "GET", 200, 0.01)
    assert any(
        line.startswith("dicomveil_http_request_seconds_count{") and "/studies/{study}" in line
        for line in shown(metrics)
    )


def test_gauges_show_the_last_value() -> None:
    metrics = Metrics()
    metrics.states({State.STORED: 7})
    metrics.spool(3, 300, 12.5)
    metrics.probed(is_healthy=True, free_bytes=1000)
    lines = shown(metrics)
    assert 'dicomveil_receipts{state="stored"} 7.0' in lines
    assert "dicomveil_spool_instances 3.0" in lines
    assert "dicomveil_oldest_waiting_seconds 12.5" in lines
    assert "dicomveil_healthy 1.0" in lines


def test_two_services_in_one_process_do_not_share_counters() -> None:
    first, second = Metrics(), Metrics()
    first.dimse.association_accepted()
    assert "dicomveil_associations_accepted_total 0.0" in shown(second)
