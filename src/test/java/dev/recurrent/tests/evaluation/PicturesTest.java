package dev.recurrent.tests.evaluation;

import static dev.recurrent.tests.evaluation.Reports.ACC;
import static dev.recurrent.tests.evaluation.Reports.of;
import static dev.recurrent.tests.evaluation.Reports.report;
import static dev.recurrent.tests.evaluation.Reports.result;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.recurrent.evaluation.report.ModelResult;
import dev.recurrent.evaluation.report.ResultsFolder;
import dev.recurrent.evaluation.task.Bucket;
import dev.recurrent.tests.training.plot.Picture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Element;

class PicturesTest {

    @TempDir private Path folder;

    /** Pictures by name. */
    private Map<String, Picture> draw(List<ModelResult> results) throws IOException {
        try (ResultsFolder written = ResultsFolder.create(folder, Reports.DATE)) {
            written.write(report(results, Map.of()));
        }
        Map<String, Picture> pictures = new TreeMap<>();
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                if (name.endsWith(".svg")) {
                    pictures.put(name, Picture.parse(Files.readString(file)));
                }
            }
        }
        return pictures;
    }

    @Test
    void drawsWhatThereAreFiguresFor() throws IOException {
        Map<String, Picture> pictures = draw(Reports.rich());
        assertThat(pictures)
                .containsKeys(
                        "position_perplexity.svg",
                        "length_perplexity.svg",
                        "throughput_perplexity.svg",
                        "state_niah_single_1@1024.svg",
                        "depth_niah_single_1_hawk.svg")
                .doesNotContainKey("state_perplexity.svg")
                .hasSize(1 + 2 + 2 + 3 + 10);
        Picture position = pictures.get("position_perplexity.svg");
        assertThat(position.elements("path")).hasSize(10);
        assertThat(position.texts()).contains("tokens before", "token perplexity ↓", "griffin");
        // One model's perplexity explodes: only a logarithmic axis shows the others.
        assertThat(position.ticks(false)).startsWith("4", "8", "16");
        assertThat(pictures.get("length_perplexity.svg").texts()).contains("bits per byte ↓");
        Picture depth = pictures.get("depth_niah_single_1_hawk.svg");
        assertThat(depth.texts()).contains("1K", "2K", "4K", "0", "51", "100");
    }

    @Test
    void statesAreLabelledPointsWhereTheAxesSay() throws IOException {
        Map<String, Picture> pictures = draw(Reports.rich());
        Picture picture = pictures.get("state_niah_single_1@1024.svg");
        assertThat(picture.ticks(true)).containsExactly("16 KiB", "32 KiB", "64 KiB", "128 KiB");
        List<Element> marks = picture.elements("circle");
        assertThat(marks).hasSize(10);
        List<Element> ticks =
                picture.elements("text").stream()
                        .filter(text -> text.getTextContent().endsWith("KiB"))
                        .toList();
        double start = Picture.number(ticks.get(0), "x");
        double end = Picture.number(ticks.get(3), "x");
        for (int m = 0; m < marks.size(); m++) {
            double bytes = m == 7 ? 64 * 1024 : (16 << 10) + 1000.0 * m * m;
            double across = (Math.log(bytes) / Math.log(2) - 14) / 3;
            // Pixels have two decimals.
            assertThat(Picture.number(marks.get(m), "cx"))
                    .isCloseTo(start + across * (end - start), within(0.02));
            assertThat(picture.value(false, Picture.number(marks.get(m), "cy")))
                    .isCloseTo(0.95 - 0.07 * m, within(1e-4));
        }
        assertLabelsAreApart(picture, List.of("hawk", "mamba2", "gated-deltanet-h2", "griffin"));
    }

    /** A label of n letters at 12 pixels is narrower than 6.4 n, and lower than 12. */
    private static void assertLabelsAreApart(Picture picture, List<String> labels) {
        List<Element> texts =
                picture.elements("text").stream()
                        .filter(text -> labels.contains(text.getTextContent()))
                        .toList();
        assertThat(texts).hasSize(labels.size());
        for (Element one : texts) {
            for (Element other : texts) {
                int letters = one.getTextContent().length() + other.getTextContent().length();
                double x = Math.abs(Picture.number(one, "x") - Picture.number(other, "x"));
                double y = Math.abs(Picture.number(one, "y") - Picture.number(other, "y"));
                assertThat(one == other || x >= 3.2 * letters || y >= 12).isTrue();
            }
        }
    }

    /** Solved tasks put all models on one spot. */
    @Test
    void labelsOfEqualPointsAreApart() throws IOException {
        List<String> models = IntStream.range(0, 10).mapToObj(i -> "model-" + i).toList();
        Picture picture =
                draw(models.stream().map(m -> result(m, "mqar", 64, of(ACC, 1, 0))).toList())
                        .get("state_mqar@64.svg");
        assertLabelsAreApart(picture, models);
        List<Double> heights =
                picture.elements("text").stream()
                        .filter(text -> models.contains(text.getTextContent()))
                        .map(text -> Picture.number(text, "y"))
                        .toList();
        double top = Picture.number(picture.elements("circle").get(0), "cy");
        assertThat(heights).allMatch(y -> y > top);
    }

    @Test
    void noFiguresAreNoPictures() throws IOException {
        assertThat(draw(List.of(result("hawk", "mqar", 64, of(ACC, 0.5, 0.1))))).isEmpty();
    }

    @Test
    void longAndAwkwardNamesMakeFilesThatDoNotCollide() throws IOException {
        List<ModelResult> results =
                Stream.of("a/b:c", "a:b/c", "x/".repeat(60) + "end")
                        .map(
                                model ->
                                        result(
                                                model,
                                                "niah",
                                                64,
                                                64,
                                                List.of(of(ACC, 0.5, 0.1)),
                                                List.of(
                                                        Reports.part(
                                                                ACC, Bucket.at("depth", 40), 0.5))))
                        .toList();
        Map<String, Picture> pictures = draw(results);
        assertThat(pictures)
                .containsKeys("depth_niah_a_b_c.svg", "depth_niah_a_b_c-2.svg", "state_niah@64.svg")
                .hasSize(4)
                .allSatisfy((name, picture) -> assertThat(name).hasSizeLessThan(70));
        assertThat(pictures.get("state_niah@64.svg").texts())
                .anyMatch(text -> text.startsWith("…") && text.endsWith("x/end"));
    }
}
