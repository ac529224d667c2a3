"""The figures that decide where the detector looks and what is text."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from deid.pixels.find.only_told import OnlyTold
from deid.pixels.find.pieces import Pieces
from deid.pixels.find.plain_lines import PlainLetters
from deid.pixels.find.traces import Bounds


@dataclass(frozen=True, slots=True)
class Tuning:
    """The figures that decide where to look and what is text. Tuned on the benchmark's tuning half.

    Attributes
    ----------
    tile, overlap
        Side of the square given to the detector at once, and how far neighbours overlap, in
        pixels after scaling.
    small, small_scale
        Pictures whose longer side is below `small` are enlarged by this factor at once.
    large
        Pictures whose longer side is this long are looked at in half their size, too: lettering
        higher than a hundred pixels. In their own size only where that leaves a trace, or something
        fine stands out.
    fine
        By so many display levels of 256.
    plain
        Lines of plain letters are found without a look.
    only_told
        Letters of which the sieve is sure, and which no look finds, may be text, too.
    known_beside_curves
        What is written across a curve is asked of again without it, but for what is text by its shape and no
        larger than this share of the frame.
    traces
        What a look leaves a trace of is looked at again, enlarged, but for blobs in which no candidate
        has a shape that text may have.
    pieces
        What covers more than the share `costly` of the frame and is no text is judged in pieces, too.
    closer
        Steps of (longer side below this many pixels, factors of that second look in the display and
        in the view by local contrast): small frames have small letters.
    follow, beside
        A candidate's line is followed in the view by local contrast, where it may go on, unless its shape
        scores less than this: an organ's edges are as long and as high as many lines. It may go on where
        there may be letters farther than so many pixels from what was found without doubt.
    binarise, consider
        Probability from which a pixel is text, and the mean from which a region is a candidate.
    grow
        How far a region's core grows: area x grow / perimeter.
    convincing, convincing_where_clear, clear, convincing_where_faint, faint
        A candidate whose shape scores at least `convincing` (logarithm of the odds) is text. Less is
        enough where the detection model's mean is at least `clear`, more is needed below `faint`.
    cheap, dear
        A candidate that is larger than the share `cheap` of the frame must score more, by `dear` times
        the square of the logarithm of how many times: a mistake costs the more of the picture.
    slight, certain, wary
        One that is larger than the share `slight`, and of which the detection model's mean falls short of
        `certain`, must score more, by `wary` times what it falls short by times the logarithm of how many
        times: of large lettering the model is surer than of devices and vessels.
    weighty, framings
        What covers more than the share `weighty` of the frame must score enough on average of its own frame and
        of frames that are longer and higher by these shares of its height: what is text stays text when it is
        framed a little wider or closer, what was taken for text by chance may not.
    no_device, larger, told_of_large, told_surest
        What covers more than the share `costly` must be text to the trees that have learnt from devices, too:
        their score, and `told_of_large` times what the sieve says of it (from `told_least` to `told_surest`),
        must together reach `no_device`, and more by `larger` times the logarithm of how many times larger it
        is.
    alone
        What covers more than `weighty` must score so much more where it reads as one sign or as a few over and
        over, twice as much where it reads as nothing or never as more: so do organs, coils and rows of parts.
    told_of_doubtful, untold
        Times `untold` that, where no reading says more and the sieve tells less than `told_of_doubtful`: rows
        of one curve, buttons and beads have a text's shape.
    lettered_from, lettered, unless_read, told, told_least, told_most, seen, seen_on_average
        What covers more than the share `costly` of the frame must be letters to the sieve, too. Its score,
        `told` times what the sieve says of it (log odds, from `told_least` to `told_most`), and `seen` times
        how far the detection model's mean lies above `seen_on_average` must together reach `unless_read`; if
        it covers more than `lettered_from`, `lettered`, unless it reads as three signs that differ. Where
        such a reading is fairly sure, nothing.
    costly, beyond_doubt, surround
        What covers more than the share `costly` of the frame and scores less than `beyond_doubt` must be found
        again when it is looked at with so many pixels of what is around it: text is, whatever surrounds it, and
        what is taken for text by chance often is not.
    least_area
        Frames of fewer pixels are taken for as large as this: in them a word is no small share. What does not
        read as one, with `fairly_sure` and more, must score enough for its true share.
    most_of_frame
        What covers a larger share of the frame than this is text only when it reads surely, and not as a pair.
    text_to_all
        What covers more than `costly`, and scores as much by the judge, by the sieve, and by the trees that
        have learnt from devices, is text whatever its share, and whatever it reads as. In a mosaic of sections
        nothing else is, but what reads fairly surely as `least_signs` that differ, and plain lines.
    continued
        What lies on a line of text is more of it where the sieve tells so much at least, and, of what is larger
        than the share `slight`, where that, its score and what the model is sure of come to as much together:
        an organ beside a text is as high as many lines.
    hopeless, short_of
        One that scores less, from `hopeless` on and by no more than `short_of`, is text when it
        reads surely; one that falls short by more when it reads surely and has many signs.
    told_of_read, first_read
        What is text only if it reads surely, and of which the sieve tells less, is read in other ways and views
        only where it reads so surely as it lies; and if it covers more than `weighty`, it must be read as more
        than `least_signs`.
    certain_of_ill_shaped, told_of_ill_shaped
        One that scores less than `hopeless` is text only when it surely reads as many signs, and the detection
        model's mean and what the sieve tells of it are at least these: stripes behind letters spoil a shape.
    sure, least_signs, many_signs
        A sure reading has at least this certainty and so many letters or digits, not all the same.
    likely, pair
        What is likely text by its shape, and falls short only for its size or for how faintly it was found,
        is text when it surely reads so few signs.
    short_of_pair, sure_pair
        So is what is no larger than `lettered_from` and falls short of `likely` by no more, read this surely.
    eased, told_surely, doubted
        A candidate may score less by `eased` where the sieve tells so much at least. What is no larger than
        `lettered_from` must score more by `doubted` where it speaks against letters and the mean is below
        `faint`.
    fairly_sure, long, different
        Less certainty is enough for a reading of so many signs, so many of them different: what is no text
        reads as one sign again and again, or not at all.
    dotted
        Factor for the look at areas of single dots.
    half_resolution
        Look once more at half the size, whatever the size is.
    """

    tile: int = 736
    overlap: int = 96
    small: int = 300
    small_scale: float = 2.0
    large: int = 1600
    fine: int = 16
    plain: PlainLetters = field(default_factory=PlainLetters)
    only_told: OnlyTold = field(default_factory=OnlyTold)
    known_beside_curves: float = 0.05
    traces: Bounds = field(default_factory=Bounds)
    pieces: Pieces = field(default_factory=Pieces)
    closer: tuple[tuple[int, float, float], ...] = (
        (700, 2.0, 2.0),
        (1100, 0.0, 1.5),
        (1600, 0.0, 1.0),
    )
    follow: float = -1.0
    beside: int = 16
    binarise: float = 0.3
    consider: float = 0.25
    grow: float = 1.6
    convincing: float = 0.5
    convincing_where_clear: float = -0.5
    clear: float = 0.75
    convincing_where_faint: float = 1.5
    faint: float = 0.5
    cheap: float = 0.004
    dear: float = 0.3
    slight: float = 0.001
    certain: float = 0.84
    wary: float = 2.0
    weighty: float = 0.002
    framings: tuple[float, ...] = (0.14, -0.1)
    no_device: float = -0.3
    larger: float = 0.5
    told_of_large: float = 0.45
    told_surest: float = 10.0
    alone: float = 1.0
    told_of_doubtful: float = 4.0
    untold: float = 2.0
    lettered_from: float = 0.01
    lettered: float = 2.8
    unless_read: float = 1.75
    told: float = 0.75
    told_least: float = -3.0
    told_most: float = 6.0
    seen: float = 5.0
    seen_on_average: float = 0.8
    costly: float = 0.004
    beyond_doubt: float = 4.0
    surround: int = 96
    least_area: int = 400 * 400
    most_of_frame: float = 0.25
    text_to_all: tuple[float, float, float] = (4.0, 6.0, 2.5)
    continued: float = 0.0
    hopeless: float = -3.0
    short_of: float = 3.5
    told_of_read: float = 1.0
    first_read: float = 0.5
    certain_of_ill_shaped: float = 0.5
    told_of_ill_shaped: float = 4.0
    sure: float = 0.95
    least_signs: int = 3
    many_signs: int = 6
    likely: float = 0.0
    pair: int = 2
    short_of_pair: float = 1.5
    sure_pair: float = 0.98
    eased: float = 0.5
    told_surely: float = 5.0
    doubted: float = 1.0
    fairly_sure: float = 0.8
    long: int = 8
    different: int = 6
    dotted: float = 0.75
    half_resolution: bool = False

    def enough(self, confidence: float, share: float) -> float:
        """Return what the shape of a candidate of that share of its frame must score to be text."""
        if confidence >= self.clear:
            least = self.convincing_where_clear
        elif confidence < self.faint:
            least = self.convincing_where_faint
        else:
            least = self.convincing
        least += self.dear * max(math.log(share / self.cheap), 0) ** 2
        lacking = max(self.certain - confidence, 0)
        return least + self.wary * lacking * max(math.log(share / self.slight), 0)

    def enough_of_large(self, share: float) -> float:
        """Return what a candidate of that share must score with the sieve's word to be no device."""
        return self.no_device + self.larger * math.log(share / self.costly)

    def lettering(self, judged: float, told: float, confidence: float) -> float:
        """Return how much speaks for letters: their shape, what the sieve tells, what the model is sure of."""
        told = min(max(told, self.told_least), self.told_most)
        return judged + self.told * told + self.seen * (confidence - self.seen_on_average)
