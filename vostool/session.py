"""The one loop: strokes in, masks out, again.

The command line, the benchmark and notebooks all go through a :class:`Session`; training plays the
same rounds of many shots at once, in :mod:`vostool.training.rounds`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import tee
from pathlib import Path
from typing import TYPE_CHECKING

from vostool.adapter import Adapter, Lesson, Samples, fit
from vostool.cleaning import Cleaning
from vostool.clips import default_name
from vostool.errors import AdapterError, ClipError, UsageError
from vostool.images import Doubt, Probabilities
from vostool.mask_propagation import Refiner
from vostool.masks import Mask, doubt_of
from vostool.outputs import (
    check_apart,
    check_folder_replaceable,
    check_replaceable,
    is_our_video,
)
from vostool.pipeline.adaptation import learn_round
from vostool.pipeline.background import Background
from vostool.pipeline.compatibility import check_belongs, check_go_together
from vostool.pipeline.export import MaskSequence, export
from vostool.pipeline.mask_stamp import mask_stamp
from vostool.pipeline.prediction import (
    Fitted,
    predict,
    predict_frame,
    predict_outwards,
    predict_sure,
    predict_with_probabilities,
    source_clip,
    source_frames,
)
from vostool.pipeline.predictors import FindPredictor, Fit, find_predictor
from vostool.pipeline.progress import Progress, quiet
from vostool.pipeline.refinement import check_strokes, refine
from vostool.pipeline.suggestion import Suggestion, choose, frames_to_look_at
from vostool.presets import Preset
from vostool.scribbles import AnyScribbles, as_scribbles
from vostool.store import FeatureReader, FeatureStore, KeptFeatures, StoredClip
from vostool.writers import WRITERS, Content, open_writer

if TYPE_CHECKING:
    from vostool.mask_propagation.cache import SpanCache

MEMORY = 2**30
"""Bytes of features that a session keeps between rounds: 150 frames at 480p."""
ONE_PASS = 2**28
"""And where a clip is gone through once."""
ADAPTER = "adapter.h5"
"""The adapter's name, where it lies beside the masks."""
REFINEMENT_CACHE = ".refined"
"""The folder, among the masks, for what is kept of their refinement."""


class Session:
    """A clip that is scribbled on: strokes in, masks out, again.

    Args:
        readers: the features of the clip that each model's classifier reads; usually one model.
            Several models' scores are averaged (§2.1, footnote).
        preset: how the first round samples and fits; later rounds go on as their adapter began.
        adapters: to go on from: none, or one for each model.
        seed: of the random choice of background, likewise.
        device: where networks run.
        clip: what the store holds of the clip; nothing is written over its store.
        memory: bytes of features that are kept in memory, so that rounds need not read them again.
        find_predictor: finds what makes masks; measurements have their own.

    Raises:
        AdapterError: an adapter belongs to other features.
    """

    def __init__(
        self,
        readers: Sequence[FeatureReader],
        *,
        preset: Preset,
        adapters: Sequence[Adapter] = (),
        seed: int = 0,
        device: str = "auto",
        clip: StoredClip | None = None,
        memory: int = MEMORY,
        find_predictor: FindPredictor = find_predictor,
    ) -> None:
        self._readers = tuple(KeptFeatures(reader, memory // len(readers)) for reader in readers)
        self._preset, self._seed = preset, seed
        self._device, self._clip, self._find_predictor = device, clip, find_predictor
        self._adapters = tuple(adapters)
        self._undo: list[tuple[Adapter, ...]] = []
        self._fit: tuple[Fit, ...] = ()
        self._fitted: tuple[Fitted, ...] = ()
        self._fitted_before: tuple[Fitted, ...] = ()
        if adapters:
            for adapter, reader in zip(adapters, readers, strict=True):
                check_belongs(adapter, reader)

    @classmethod
    def resume(
        cls,
        store: FeatureStore,
        adapters: Sequence[Adapter],
        *,
        clip: str | None = None,
        device: str = "auto",
        memory: int = ONE_PASS,
    ) -> Session:
        """Go on from one adapter, or from several models' whose scores are averaged.

        Args:
            store: the features; each adapter reads those of its own network.
            adapters: of the same objects.
            clip: the clip's name, of any that the adapters' networks have seen; by default the one
                that the first adapter was fitted on.
            device: where networks run.
            memory: bytes of features that are kept in memory.

        Raises:
            MissingStageError: the features are not in the store.
            AdapterError: an adapter belongs to other features, or they do not go together.
            UsageError: no clip is named, and the adapter has learnt from several.
        """
        first = adapters[0]
        stored = store.clip(clip or first.only_clip)
        readers = []
        for adapter in adapters:
            its_clip = stored if clip else store.clip(adapter.only_clip)
            readers.append(
                its_clip.features(adapter.provenance.network, adapter.provenance.features)
            )
        session = cls(
            readers,
            preset=first.preset,
            adapters=adapters,
            seed=first.provenance.seed,
            device=device,
            clip=stored,
            memory=memory,
        )
        check_go_together(list(zip(adapters, readers, strict=True)))
        return session

    @property
    def frames(self) -> int:
        """How many frames the clip has."""
        return self._readers[0].frames

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the clip, and of its masks."""
        return self._readers[0].metadata.size

    @property
    def rounds(self) -> int:
        """How many rounds of scribbles it has learnt from, an adapter's and other clips' among
        them."""
        return self._adapters[0].rounds if self._adapters else 0

    @property
    def strokes(self) -> Samples:
        """Every pixel of this clip that bears a stroke so far."""
        if not self._adapters:
            return Samples.empty()
        return self._adapters[0].strokes_on(self._readers[0].cache_key.digest)

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The objects so far, ascending, without background."""
        return self._adapters[0].object_ids[1:] if self._adapters else ()

    @property
    def adapters(self) -> tuple[Adapter, ...]:
        """The adapter of each model; none before the first round."""
        return self._adapters

    @property
    def adapter(self) -> Adapter:
        """What ``vostool adapt`` keeps as a file: :meth:`vostool.Adapter.write` does.

        Raises:
            UsageError: there has been no round yet.
        """
        return self._learnt()[0]

    def add_scribbles(
        self,
        scribbles: AnyScribbles,
        *,
        previous_masks: Mapping[int, Mask] | None = None,
        any_clip: bool = False,
    ) -> None:
        """Learn from a round of strokes, in closed form (Eq. 3).

        Args:
            scribbles: a DAVIS JSON file or a folder of painted PNGs; or, by frame number, painted
                arrays (H, W) (0 untouched, k object k, 255 background) or lists of
                :class:`vostool.scribbles.Stroke`.
            previous_masks: of the annotated frames, by frame: the masks that these strokes correct;
                by default this session's own. Not used in the first round.
            any_clip: take scribbles that say they were drawn on another sequence.

        Raises:
            ScribbleError: they are broken, or not this clip's.
            ImageError: a painted file is not a whole image of labels.
            AdapterError: a previous mask is of another size, or there is nothing to tell apart.
            StoreError: the features are damaged.
        """
        self.take(self.learn(scribbles, previous_masks=previous_masks, any_clip=any_clip))

    def learn(
        self,
        scribbles: AnyScribbles,
        *,
        previous_masks: Mapping[int, Mask] | None = None,
        any_clip: bool = False,
    ) -> list[Lesson]:
        """What a round of strokes teaches, as :meth:`add_scribbles` takes it: a lesson a model.

        The session stays as it is. Lessons on several clips add up to one adapter by
        :func:`vostool.adapter.fit`.

        Raises:
            ScribbleError: they are broken, or not this clip's.
            ImageError: a painted file is not a whole image of labels.
            AdapterError: a previous mask is of another size.
            StoreError: the features are damaged.
        """
        new = as_scribbles(scribbles)
        if not any_clip:
            new.check_sequence(self._names())
        new.check_against(self.frames, self.size)
        if not self._adapters:
            previous_masks = None
        elif previous_masks is None:
            previous_masks = {frame: self.mask(frame) for frame in new.annotated_frames}
        return [
            learn_round(
                reader,
                new,
                preset=self._preset if before is None else before.preset,
                earlier=before,
                previous_masks=previous_masks,
                seed=self._seed if before is None else before.provenance.seed,
            )
            for reader, before in zip(self._readers, self._before(), strict=True)
        ]

    def take(self, lessons: Sequence[Lesson]) -> None:
        """Become what lessons teach, one a model; :meth:`undo` takes it back.

        Raises:
            AdapterError: there is nothing to tell apart.
        """
        both = zip(lessons, self._before(), strict=True)
        learnt = [fit([lesson], before) for lesson, before in both]
        self._undo.append(self._adapters)
        self._fitted_before = self._fitted  # a stroke that is drawn again asks for its masks
        self._adapters, self._fitted = tuple(learnt), ()

    def undo(self) -> None:
        """Forget the last round that was added to this session.

        Raises:
            UsageError: none was.
        """
        if not self._undo:
            raise UsageError("no round to undo: none was added since this session began")
        self._adapters = self._undo.pop()
        self._fitted, self._fitted_before = self._fitted_before, ()

    def mask(self, frame: int) -> Mask:
        """The mask of one frame, at once: (H, W) uint8, the object id of each pixel.

        Raises:
            ClipError: the clip has no such frame.
            UsageError: there has been no round yet.
            StoreError: the features are damaged.
        """
        self._check_frame(frame)
        return predict_frame(self._models(), frame)

    def mask_with_confidence(self, frame: int) -> tuple[Mask, float]:
        """The mask of one frame, and how sure it is: see :func:`vostool.masks.confidence`.

        Raises:
            ClipError: the clip has no such frame.
            UsageError: there has been no round yet.
            StoreError: the features are damaged.
        """
        self._check_frame(frame)
        return predict_sure(self._models(), frame)

    def suggest(
        self, count: int = 3, *, clips: int = 1, progress: Progress = quiet
    ) -> list[Suggestion]:
        """The frames on which strokes are expected to teach most, the best first.

        Args:
            count: how many frames, at most.
            clips: how many clips compete; of many, fewer frames of each are looked at.
            progress: told of frames looked at.

        Raises:
            UsageError: there has been no round yet.
            StoreError: the features are damaged.
        """
        looked_at = frames_to_look_at(self.frames, clips)
        confidences: dict[int, float] = {}
        for done, frame in enumerate(looked_at, 1):
            _, confidences[frame] = self.mask_with_confidence(frame)
            progress(done, len(looked_at))
        return self.choose(confidences, count)

    def choose(self, confidences: Mapping[int, float], count: int = 3) -> list[Suggestion]:
        """As :meth:`suggest`, of masks that are made already.

        Args:
            confidences: of their masks, by frame, as :meth:`mask_with_confidence` gives them.
            count: how many frames, at most.
        """
        drawn = set(self.strokes.frame.tolist())
        return choose(confidences, self.frames, drawn, count, self._readers[0].clip_name)

    def masks(self, first: int | None = None) -> Iterator[tuple[int, Mask]]:
        """The masks of all frames, each as it is made: the frame's number and (H, W) uint8.

        Whoever has seen enough, or has a new stroke, stops asking: nothing is made ahead.

        Args:
            first: the frame that is looked at: its mask comes first, and then those of the others,
                nearest first. By default the clip's order, which is quicker as a whole.

        Raises:
            ClipError: the clip has no such frame.
            UsageError: there has been no round yet.
            StoreError: the features are damaged, or were made anew meanwhile.
        """
        if first is None:
            return predict(self._models())
        self._check_frame(first)
        return predict_outwards(self._models(), first)

    def probabilities(self) -> Iterator[tuple[int, Probabilities]]:
        """How probable background and each object is, for every frame, as each is made.

        Each is the frame's number and (K + 1, H, W) float32: background first, then the objects of
        :attr:`object_ids`; they add up to 1, and the largest is the mask's.

        Raises:
            UsageError: there has been no round yet, or the preset has no decoder, without which
                scores are no probabilities.
            StoreError: the features are damaged, or were made anew meanwhile.
        """
        self._check_probabilities()
        every = predict_with_probabilities(self._models())
        return ((frame, probabilities) for frame, _, probabilities in every)

    def refined_masks(
        self,
        refiner: Refiner,
        open_cache: Callable[[str], SpanCache],
        *,
        progress: Progress = quiet,
    ) -> Iterator[tuple[int, Mask]]:
        """The masks of all frames after the last round's refinement (§3), in order.

        Args:
            refiner: by which masks travel.
            open_cache: opens what is kept of an earlier refinement, by a word that tells what it is
                of: a :class:`vostool.mask_propagation.cache.MemoryCache` or a ``FolderCache``.
            progress: told of frames done.

        Raises:
            UsageError: there has been no round yet.
            AdapterError: there are several models, or there is no annotated frame.
            WeightsError: the refiner's weights are missing.
        """
        models = self._models()
        if len(models) > 1:
            raise AdapterError(
                "masks travel by one model's scores; give one --adapter, or leave refinement out"
            )
        (model,) = models
        check_strokes(model.adapter, model.reader)
        return refine(model, refiner, open_cache, progress=progress)

    def save(
        self,
        folder: str | Path,
        *,
        overlay: str | Path | None = None,
        uncertainty: str | Path | None = None,
        with_adapter: bool = False,
        refiner: Refiner | None = None,
        cleaning: Cleaning = Cleaning(),  # noqa: B008 - it is frozen
        force: bool = False,
        progress: Progress = quiet,
    ) -> int:
        """Write the mask of every frame as ``FOLDER/%05d.png``, and a video to look at.

        They are made aside. When all are whole the folder is replaced in one step, and holds them
        alone.

        Args:
            folder: for the masks; made if need be.
            overlay: an MP4 with the masks over the frames, if it is wanted.
            uncertainty: a folder for how doubtful each pixel's label is, ``%05d.png``, if it is
                wanted: black is sure, white (255) is a probability of a half that it is wrong.
            with_adapter: put the adapter beside the masks, as ``FOLDER/adapter.h5``.
            refiner: by which masks travel from the annotated frames, if they do. What is on the way
                is kept in ``FOLDER/.refined``: a stopped run goes on, and after another round the
                next does not repeat what no stroke has touched.
            cleaning: what is done to the masks; nothing by default.
            force: replace what vostool did not make.
            progress: told of frames done.

        Returns:
            How many frames were written.

        Raises:
            UsageError: there has been no round yet.
            ClipError: an overlay was asked for and the clip's frames are gone, or are others.
            OutputError: a folder or file cannot be written, or is the user's, or is read.
        """
        from vostool.mask_propagation.cache import FolderCache

        folder, reader = Path(folder), self._readers[0]
        overlay = None if overlay is None else Path(overlay)
        uncertainty = None if uncertainty is None else Path(uncertainty)
        self._check_outputs(folder, overlay, uncertainty, force)
        doubts: Iterator[Doubt] = iter(())
        if refiner is None and uncertainty is not None:
            masks, doubts = self._masks_and_doubts()
        elif refiner is None:
            masks = self.masks()
        elif uncertainty is not None:
            raise UsageError("refined masks have no probabilities; leave out either")
        else:
            # They are slower to make than to write, so their making is what is told of.
            cache = partial(FolderCache, folder / REFINEMENT_CACHE)
            masks, progress = self.refined_masks(refiner, cache, progress=progress), quiet
        clip = None if overlay is None else source_clip(reader)
        content = Content(
            reader.metadata.size, reader.metadata.fps,
            iter(()) if clip is None else source_frames(clip, reader),
            keeps=(REFINEMENT_CACHE,), times=None if clip is None else clip.times,
            made_from=mask_stamp(
                zip(self._adapters, (one.cache_key for one in self._readers), strict=True),
                refiner=refiner, cleaning=cleaning,
            ),
        )  # fmt: skip
        with ExitStack() as stack:
            pngs = stack.enter_context(open_writer("png", folder, content))
            writers = [pngs]
            if overlay is not None:
                writers.append(stack.enter_context(open_writer("overlay", overlay, content)))
            if uncertainty is not None:
                maps = stack.enter_context(open_writer("uncertainty", uncertainty, content))
            for frame, mask in enumerate(cleaning.clean(mask for _, mask in masks)):
                for writer in writers:
                    writer.write(frame, mask)
                if uncertainty is not None:
                    maps.write(frame, next(doubts))
                progress(frame + 1, self.frames)
            if with_adapter:
                self.adapter.write(pngs.folder / ADAPTER)
        return self.frames

    def export(
        self,
        form: str,
        out: str | Path,
        *,
        cleaning: Cleaning = Cleaning(),  # noqa: B008
        soft: bool = False,
        overlap: bool = False,
        background: Background | None = None,
        force: bool = False,
        progress: Progress = quiet,
    ) -> int:
        """Write the mask of every frame in a format of another tool; it appears when it is whole.

        Args:
            form: the format, one of :data:`vostool.writers.WRITERS`.
            out: the file or the folder.
            cleaning: what is done to the masks; nothing by default.
            soft: alpha is how probable the objects are, for formats with alpha.
            overlap: each object has its own mask, where it is likelier than background, for formats
                in which masks may overlap.
            background: what is put behind the objects, for formats that show it.
            force: replace what vostool did not make.
            progress: told of frames done.

        Returns:
            How many frames were written.

        Raises:
            UsageError: there has been no round yet; or what is asked for does not go with the
                format, or needs a decoder's probabilities.
            ClipError: the format shows the clip's frames, and they are gone, or are others.
            OutputError: the output cannot be written, or is the user's, or is read.
        """
        reader = self._readers[0]
        inputs = [Path(reader.metadata.source)]
        if self._clip is not None:
            inputs.extend(self._clip.store.folders)
        masks = MaskSequence(
            reader.clip_name, reader.metadata.size, self.frames, self.object_ids,
            lambda: (mask for _, mask in self.masks()), tuple(inputs),
        )  # fmt: skip
        if self._has_probabilities():
            masks = replace(
                masks, read_probabilities=lambda: (one for _, one in self.probabilities())
            )
        clip = source_clip(reader) if WRITERS[form].shows_frames else None
        return export(
            masks, form, Path(out), clip=clip, cleaning=cleaning, soft=soft, overlap=overlap,
            background=background, force=force, progress=progress,
        )  # fmt: skip

    def _check_probabilities(self) -> None:
        if not self._has_probabilities():
            raise UsageError("the preset has no decoder, whose probabilities they would be")

    def _has_probabilities(self) -> bool:
        return all(adapter.preset.decoder for adapter in self._learnt())

    def _masks_and_doubts(self) -> tuple[Iterator[tuple[int, Mask]], Iterator[Doubt]]:
        """Masks of all frames, and how doubtful their pixels are; both are made once."""
        self._check_probabilities()
        every = predict_with_probabilities(self._models())
        ours, theirs = tee((frame, mask, doubt_of(one)) for frame, mask, one in every)
        return ((frame, mask) for frame, mask, _ in ours), (doubt for _, _, doubt in theirs)

    def _check_outputs(
        self, folder: Path, overlay: Path | None, uncertainty: Path | None, force: bool
    ) -> None:
        inputs = [Path(self._readers[0].metadata.source)]
        if self._clip is not None:
            inputs.extend(self._clip.store.folders)
        check_apart(folder, inputs)
        if not force:
            check_folder_replaceable(folder, besides=(REFINEMENT_CACHE,))
        if overlay is not None:
            check_apart(overlay, [*inputs, folder])
            if not force:
                check_replaceable(overlay, is_our_video)
        if uncertainty is not None:
            check_apart(uncertainty, [*inputs, folder, *([] if overlay is None else [overlay])])
            if not force:
                check_folder_replaceable(uncertainty)

    def _check_frame(self, frame: int) -> None:
        if not 0 <= frame < self.frames:
            raise ClipError(f"no frame {frame}: the clip has frames 0 to {self.frames - 1}")

    def _names(self) -> set[str]:
        """What scribbles may call the clip: as the store does, or as its source is called."""
        reader = self._readers[0]
        return {reader.clip_name, default_name(reader.metadata.source)}

    def _learnt(self) -> tuple[Adapter, ...]:
        if not self._adapters:
            raise UsageError("no round of scribbles yet; begin with add_scribbles")
        return self._adapters

    def _before(self) -> Sequence[Adapter | None]:
        """The adapter of each model; None each before the first round."""
        return self._adapters or [None] * len(self._readers)

    def _models(self) -> tuple[Fitted, ...]:
        """The models with what makes their masks; torch is loaded here, if a decoder needs it."""
        if not self._fitted:
            adapters = self._learnt()
            if not self._fit:
                self._fit = tuple(
                    self._find_predictor(reader, adapter.preset, self._device)
                    for adapter, reader in zip(adapters, self._readers, strict=True)
                )
            self._fitted = tuple(
                Fitted(adapter, reader, fit(adapter))
                for adapter, reader, fit in zip(adapters, self._readers, self._fit, strict=True)
            )
        return self._fitted
