"""The running service. Start at `daemon.app`, which puts every part together.

::

    demo                                    what ``make run`` shows
    cli        synthetic                    the commands; people and instances that are made up
    app                                     composition: the one place that knows every part
    configured                              what the settings mean to the parts
    healthcare                              the Cloud Healthcare API's surface
    batch      store                        ``dicomveil deid``; what is durable, and what becomes of it
    fhir   pipeline   receive               serves FHIR; decides and dispatches; takes in;
    rendering   viewer                      draws; brings the viewer
    web                                     serves
    deidentifiers   engines   workers       configurations and keys; what looks at pixels; child processes
    observe                                 logs, traces, metrics, health
    ports   records   resources   reasons   errors   what the parts ask of each other, what travels, what
                                            goes wrong
    importing                               packages without what they load beside themselves

Each knows only what stands below it (a contract in ``pyproject.toml``): what receives and what processes
ask for a spool and for receipts through `daemon.ports`, which ``store`` keeps.
"""
