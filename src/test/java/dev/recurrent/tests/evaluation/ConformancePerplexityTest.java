package dev.recurrent.tests.evaluation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.blocks.torch.GradientMode;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.tests.support.Conformance;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.text.ByteTokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Perplexity on WikiText-2's test set, bytes as ids, against a plain loop over logits. The resource
 * is the head of that set (Merity et al. 2016, CC BY-SA); the property {@code wikitext} names
 * another file, such as all of it, and {@code device} another device.
 */
class ConformancePerplexityTest {

    private static final int LENGTH = 512;

    static List<String> models() {
        return Conformance.models();
    }

    @ParameterizedTest
    @MethodSource("models")
    void equalsAPlainLoop(String name) throws Exception {
        Path text = text();
        Device device = Device.fromName(System.getProperty("device", "cpu"));
        try (Pretrained model = Pretrained.load(Conformance.path(name), device)) {
            double expected = plainLoop(model, Files.readAllBytes(text));
            for (int batch : new int[] {1, 8}) {
                assertThat(measure(model, text, batch))
                        .isCloseTo(expected, within(1e-5 * expected));
            }
        }
    }

    private static Path text() throws Exception {
        String other = System.getProperty("wikitext");
        return other == null
                ? Path.of(
                        ConformancePerplexityTest.class
                                .getResource("/texts/wikitext-2-test-head.txt")
                                .toURI())
                : Path.of(other);
    }

    private static double measure(Pretrained model, Path text, int batch) throws Exception {
        Task task =
                Tasks.create("perplexity", TaskOptions.DEFAULT.withText(text).withLength(LENGTH));
        // Bytes, whatever tokenizer the model has.
        ByteTokenizer bytes = new ByteTokenizer();
        return TaskRun.of(task, model.model(), bytes, model.manager(), batch)
                .value("token_perplexity");
    }

    /** Windows one after another, softmax in float64 on the host. */
    private static double plainLoop(Pretrained model, byte[] text) {
        double sum = 0;
        for (int start = 0; start < text.length - 1; start += LENGTH) {
            int end = Math.min(start + LENGTH, text.length - 1);
            sum += cost(model, Arrays.copyOfRange(text, start, end + 1));
        }
        return Math.exp(sum / (text.length - 1));
    }

    private static double cost(Pretrained model, byte[] window) {
        int inputs = window.length - 1;
        long[] ids = new long[inputs];
        Arrays.setAll(ids, i -> Byte.toUnsignedLong(window[i]));
        try (NDManager scope = model.manager().newSubManager()) {
            NDArray logits =
                    GradientMode.off(
                            () ->
                                    model.model()
                                            .forward(
                                                    new ParameterStore(scope, false),
                                                    scope.create(ids, new Shape(1, inputs)),
                                                    Positions.range(scope, 1, inputs, 0),
                                                    null,
                                                    false)
                                            .values());
            int vocabulary = (int) logits.getShape().get(2);
            double[] values = logits.toType(DataType.FLOAT64, false).toDoubleArray();
            double sum = 0;
            for (int t = 0; t < inputs; t++) {
                double[] row = Arrays.copyOfRange(values, t * vocabulary, (t + 1) * vocabulary);
                double most = Arrays.stream(row).max().orElseThrow();
                double total = Arrays.stream(row).map(x -> Math.exp(x - most)).sum();
                sum += most + Math.log(total) - row[Byte.toUnsignedInt(window[t + 1])];
            }
            return sum;
        }
    }
}
