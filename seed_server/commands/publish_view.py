"""Shows what was published: its files, those that were unpacked, and what lines will carry of them."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import click
from msgspec.structs import asdict

from bandwidth.core.quantities import bytes_text
from p2pdist.shared.console import say
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from seed_server.answers.operations import (
    ExpectedDocument,
    FindingDocument,
    PublishDocument,
    PublishedPayloadDocument,
    RepackedDocument,
)
from seed_server.commands.texts import counted
from seed_server.deltas.estimate import ExpectedBytes
from seed_server.deltas.prediction import Prediction
from seed_server.publishing.copying import Repacked
from seed_server.publishing.examination import Examined
from seed_server.publishing.findings import Finding
from seed_server.publishing.publish import Published
from seed_server.publishing.recipe import Recipe


def publish_document(published: Published) -> PublishDocument:
    """Return what `publish` prints with `--json`."""
    patch = asdict(published.patch)
    facts = {name: patch[name] for name in PublishDocument.__struct_fields__ if name in patch}
    names = PublishedPayloadDocument.__struct_fields__
    payloads = tuple(
        PublishedPayloadDocument(**{name: getattr(payload, name) for name in names}) for payload in published.payloads
    )
    examined = published.examined
    return PublishDocument(
        id=published.patch.patch_id,
        payloads=payloads,
        repaired=published.repaired,
        contents=contents_document(examined),
        warnings=tuple(map(finding_document, examined.warnings)),
        repacked=tuple(map(repacked_document, published.repacked)),
        expected=expected_documents(published.examined.publication.recipe, published.predicted),
        **facts,
    )


def contents_document(examined: Examined) -> tuple[str | None, ...]:
    """Return what is in each file, in words; None: it was not looked into."""
    return tuple(None if one is None else str(one) for one in examined.contents)


def finding_document(finding: Finding) -> FindingDocument:
    """Return what is wrong or doubtful."""
    return FindingDocument(
        level=finding.level,
        where=finding.where or None,
        text=finding.text,
        line=finding.line,
        column=finding.column,
    )


def show_published(published: Published) -> None:
    """Say what was published."""
    patch = published.patch
    if len(published.payloads) == 1:
        _say_done(published, f"{patch.file_name}, {bytes_text(patch.length_bytes)}")
        click.echo(f"{in_words(counted(patch.piece_count, 'piece'))}, SHA-256 {patch.sha256}")
        _show_same_bytes(published)
        return
    _say_done(published, counted(len(published.payloads), "file"))
    for payload in published.payloads:
        words = " ".join(word for word in (payload.platform, payload.arch, payload.language) if word) or tr("any other")
        click.echo(f"  {words}: {payload.file_name}, {bytes_text(payload.length_bytes)}, SHA-256 {payload.sha256}")
    _show_same_bytes(published)


def _say_done(published: Published, content: str) -> None:
    patch = f"{published.patch.patch_id} {published.patch.version}"
    say(f"Repaired {patch}: {content}" if published.repaired else f"Published {patch}: {content}")


def _show_same_bytes(published: Published) -> None:
    if published.same_bytes:
        names = ", ".join(map(str, published.same_bytes))
        say(f"PCs that have the file of {names} fetch nothing: it is the same.")


# --- smaller updates -----------------------------------------------------------------------------


@dataclass
class SmallerTold:
    """What a publication that is being prepared tells of smaller updates."""

    repacked: Sequence[Repacked] = ()
    predicted: Sequence[Prediction | None] = ()

    def tell(self, repacked: Sequence[Repacked], predicted: Sequence[Prediction | None]) -> None:
        """Note it."""
        self.repacked, self.predicted = repacked, predicted

    def show(self, recipe: Recipe) -> None:
        """Say it."""
        show_repacked(self.repacked)
        show_expected(recipe, self.predicted)


def show_repacked(repacked: Iterable[Repacked]) -> None:
    """Say what became of each file that should be published unpacked."""
    for one in repacked:
        file = printable(one.file_name)
        if one.left_alone:
            click.echo(tr("{file} is published as it is: {reason}.", file=file, reason=in_words(one.left_alone)))
        else:
            before, after = bytes_text(one.packed_bytes), bytes_text(one.stored_bytes)
            click.echo(
                tr(
                    "{file}: {before}, unpacked to {after}: the next version needs a fraction of it over the line",
                    file=file, before=before, after=after,
                )
            )  # fmt: skip


def show_expected(recipe: Recipe, predicted: Sequence[Prediction | None]) -> None:
    """Say what is expected to cross each site's line."""
    documents = expected_documents(recipe, predicted)
    if documents:
        click.echo(tr("Expected over each site's line:"))
    for one in documents:
        size = tr(
            "{likely}, between {least} and {most}",
            likely=bytes_text(one.likely_bytes), least=bytes_text(one.least_bytes), most=bytes_text(one.most_bytes),
        )  # fmt: skip
        where = tr("where a PC has {patch}", patch=one.base) if one.base else tr("where none has a former version")
        file = f"{printable(one.file_name)}: " if len(recipe.payload) > 1 else ""
        click.echo(f"  {file}{where}: {size}")


def expected_documents(recipe: Recipe, predicted: Sequence[Prediction | None]) -> tuple[ExpectedDocument, ...]:
    """Return what is expected, of each file from each former version, the least first, and without one."""
    return tuple(_expected(recipe, predicted))


def _expected(recipe: Recipe, predicted: Sequence[Prediction | None]) -> Iterator[ExpectedDocument]:
    for payload, prediction in zip(recipe.payload, predicted, strict=False):
        if prediction is not None:
            for base in prediction.bases:
                yield _document(payload.file_name, base.patch, base.expected)
            yield _document(payload.file_name, None, prediction.alone)


def _document(file_name: str, base: str | None, expected: ExpectedBytes) -> ExpectedDocument:
    return ExpectedDocument(file_name, base, expected.likely, expected.least, expected.most)


def repacked_document(one: Repacked) -> RepackedDocument:
    """Return what became of one file that should be published unpacked."""
    return RepackedDocument(one.file_name, one.packed_bytes, one.stored_bytes, one.left_alone or None)
