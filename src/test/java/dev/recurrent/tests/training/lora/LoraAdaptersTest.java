package dev.recurrent.tests.training.lora;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.LowRankAdapter;
import dev.recurrent.blocks.nn.Projection;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.tests.support.Tensors;
import dev.recurrent.training.lora.LoraAdapters;
import dev.recurrent.training.lora.LoraConfig;
import dev.recurrent.training.parameter.UnknownParameterException;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import dev.recurrent.zoo.weights.WeightLoader;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LoraAdaptersTest {

    /**
     * fp32 sums of up to some hundred products in another order (W + s·BA first, then x, or both
     * apart), through some layers whose norms keep relative errors as they are: some dozen ulps of
     * 6e-8 of the largest logit.
     */
    private static final double ROUNDING = 1e-5;

    @TempDir private Path folder;

    static Stream<String> entries() {
        return Presets.all().stream().map(Preset::artifactId).distinct();
    }

    static List<String> models() {
        return LoraCase.MODELS;
    }

    /** Also that every adapter gets into the file: PEFT's names cover all projections. */
    @ParameterizedTest
    @MethodSource("entries")
    void adaptsEveryEntry(String entry) throws Exception {
        Preset preset = Presets.find(entry, Preset.TINY).orElseThrow();
        try (Pretrained opened = Pretrained.create(preset.config(), Device.cpu(), 1)) {
            LanguageModel model = opened.model();
            float[] before = LoraCase.logits(model);
            long parameters = model.parameterCount();
            LoraAdapters adapters =
                    LoraAdapters.attach(model, new LoraConfig(3, 6, List.of("**")), 1);
            assertThat(LoraCase.logits(model)).isEqualTo(before);
            assertThat(adapters.targets())
                    .isEqualTo(SizedBlock.projectionsOf(model).keySet())
                    .isNotEmpty();

            LoraCase.train(adapters);
            float[] trained = LoraCase.logits(model);
            Map<String, float[]> values = LoraCase.values(model);
            assertThat(trained).isNotEqualTo(before);
            adapters.save(folder, preset.config());
            adapters.detach();
            assertThat(LoraCase.logits(model)).isEqualTo(before);
            assertThat(model.parameterCount()).isEqualTo(parameters);

            LoraAdapters loaded = LoraAdapters.load(model, preset.config(), folder);
            assertThat(loaded.config().rank()).isEqualTo(3);
            assertThat(loaded.config().alpha()).isEqualTo(6);
            assertThat(LoraCase.values(model)).containsExactlyEntriesOf(values);
            assertThat(LoraCase.logits(model)).isEqualTo(trained);
        }
    }

    @Test
    void addsTheScaledProduct() {
        try (NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            ParameterStore store = new ParameterStore(manager, false);
            Projection projection =
                    new Projection(
                            13, 7, true, (m, shape, t) -> Tensors.normal(m, 1, shape.getShape()));
            projection.initialize(manager, DataType.FLOAT32);
            NDArray x = Tensors.normal(manager, 2, 2, 5, 13);
            NDArray plain = projection.forward(store, x, false);
            LowRankAdapter adapter =
                    new LowRankAdapter(
                            13, 7, 3, 1.5, (m, shape, t) -> Tensors.normal(m, 3, shape.getShape()));
            adapter.initialize(manager, DataType.FLOAT32);
            Tensors.normal(manager, 4, 7, 3).copyTo(adapter.b().getArray());
            projection.attach(adapter);
            NDArray update =
                    x.reshape(10, 13)
                            .matMul(adapter.a().getArray().transpose())
                            .matMul(adapter.b().getArray().transpose())
                            .mul(1.5)
                            .reshape(2, 5, 7);
            Tensors.assertClose(
                    "adapted", projection.forward(store, x, false), plain.add(update), ROUNDING);
            assertThat(SizedBlock.parametersOf(projection).keySet())
                    .containsExactly("weight", "bias", "lora.A", "lora.B");
        }
    }

    @Test
    void leavesNothingBehindButItsResult() {
        try (NDManager manager = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            Projection projection = new Projection(13, 7, true, (m, shape, t) -> m.ones(shape));
            projection.initialize(manager, DataType.FLOAT32);
            LowRankAdapter adapter = new LowRankAdapter(13, 7, 3, 2, (m, s, t) -> m.ones(s));
            adapter.initialize(manager, DataType.FLOAT32);
            projection.attach(adapter);
            ParameterStore store = new ParameterStore(manager, false);
            try (NDManager pass = manager.newSubManager()) {
                int weights = manager.getManagedArrays().size();
                projection.forward(store, pass.ones(new Shape(4, 13)), true);
                assertThat(pass.getManagedArrays()).hasSize(2);
                assertThat(manager.getManagedArrays()).hasSize(weights + 2);
            }
            int held = manager.getManagedArrays().size();
            projection.merge();
            assertThat(manager.getManagedArrays()).hasSize(held - 2);
        }
    }

    /** Uniform within ±1/√in: variance 1/(3·in), here of 16·24 numbers, so ±15 % is 4σ. */
    @Test
    void drawsAAsTheReferenceDoes() throws Exception {
        try (Pretrained opened = LoraCase.open("recurrent_gemma_griffin")) {
            Map<String, float[]> first = fresh(opened.model(), 7);
            assertThat(fresh(opened.model(), 7)).containsExactlyEntriesOf(first);
            assertThat(fresh(opened.model(), 8).get("layers.0.mlp.up_proj.lora.A"))
                    .isNotEqualTo(first.get("layers.0.mlp.up_proj.lora.A"));
            assertThat(first.get("layers.0.mlp.up_proj.lora.A"))
                    .isNotEqualTo(first.get("layers.1.mlp.up_proj.lora.A"));
            first.forEach(
                    (path, values) -> {
                        if (path.endsWith("B")) {
                            assertThat(values).as(path).containsOnly(0);
                            return;
                        }
                        double bound = 1 / Math.sqrt(values.length / 16.0);
                        double squares = 0;
                        for (float value : values) {
                            assertThat(Math.abs(value)).as(path).isLessThanOrEqualTo((float) bound);
                            squares += value * value;
                        }
                        assertThat(squares / values.length / bound / bound)
                                .as(path)
                                .isCloseTo(1 / 3.0, within(0.15 / 3));
                    });
        }
    }

    private static Map<String, float[]> fresh(LanguageModel model, long seed) {
        LoraAdapters adapters = LoraAdapters.attach(model, LoraConfig.allLayers(16, 16), seed);
        Map<String, float[]> values = new LinkedHashMap<>();
        adapters.parameters().forEach((path, p) -> values.put(path, p.getArray().toFloatArray()));
        adapters.detach();
        return values;
    }

    @ParameterizedTest
    @MethodSource("models")
    void mergesExactly(String name) throws Exception {
        try (Pretrained opened = LoraCase.open(name);
                NDManager pass = NDManager.newBaseManager(Device.cpu(), "PyTorch")) {
            LanguageModel model = opened.model();
            NDArray plain = LoraCase.logits(pass, model);
            LoraAdapters adapters = LoraAdapters.attach(model, LoraConfig.allLayers(4, 8), 1);
            LoraCase.train(adapters);
            NDArray adapted = LoraCase.logits(pass, model);
            adapters.merge();
            NDArray merged = LoraCase.logits(pass, model);
            Tensors.assertClose("merged", merged, adapted, ROUNDING);
            assertThat(Tensors.relativeError(merged, plain)).isGreaterThan(100 * ROUNDING);
            assertThat(SizedBlock.parametersOf(model).values())
                    .allMatch(Parameter::requiresGradient);

            opened.save(folder, ScalarType.FLOAT32);
            try (Pretrained reopened = Pretrained.load(folder, Device.cpu())) {
                assertThat(LoraCase.logits(reopened.model())).isEqualTo(merged.toFloatArray());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("models")
    void checkpointsOfTheModelPassOverAdapters(String name) throws Exception {
        try (Pretrained opened = LoraCase.open(name)) {
            LanguageModel model = opened.model();
            LoraAdapters adapters = LoraAdapters.attach(model, LoraConfig.allLayers(2, 2), 1);
            LoraCase.train(adapters);
            Map<String, float[]> before = LoraCase.values(model);
            opened.save(folder, ScalarType.FLOAT32);
            try (Checkpoint saved = Checkpoint.open(folder);
                    Checkpoint upstream = Checkpoint.open(LoraCase.folder(name))) {
                assertThat(saved.tensors().keySet()).isEqualTo(upstream.tensors().keySet());
                new WeightLoader(model, opened.config().names()).load(saved, opened.manager());
            }
            assertThat(LoraCase.values(model)).containsExactlyEntriesOf(before);
            assertThat(before).containsKey(adapters.targets().iterator().next() + ".lora.A");
        }
    }

    @Test
    void adaptsWhatIsAskedFor() throws Exception {
        try (Pretrained opened = LoraCase.open("recurrent_gemma_griffin")) {
            LoraAdapters adapters =
                    LoraAdapters.attach(
                            opened.model(),
                            new LoraConfig(2, 2, List.of("layers.0.mixer, **.q_proj.weight")),
                            1);
            assertThat(adapters.targets())
                    .containsExactly(
                            "layers.0.mixer.linear_x",
                            "layers.0.mixer.linear_y",
                            "layers.0.mixer.linear_out",
                            "layers.2.mixer.q_proj");
        }
    }

    @Test
    void saysWhatIsWrong() throws Exception {
        assertThatThrownBy(() -> new LoraConfig(0, 1, List.of("**")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("LoRA's rank must be >= 1, not 0");
        assertThatThrownBy(() -> new LoraConfig(1, Double.NaN, List.of("**")))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("not NaN");
        assertThatThrownBy(() -> new LoraConfig(1, 1, List.of()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("layers.**");
        try (Pretrained opened = LoraCase.open("recurrent_gemma_griffin")) {
            LanguageModel model = opened.model();
            assertThatThrownBy(() -> attach(model, "**.q_proj", "layers.*.mixer_norm"))
                    .isInstanceOf(UnknownParameterException.class)
                    .hasMessageStartingWith("No projection matches 'layers.*.mixer_norm'")
                    .hasMessageContaining("layers.*.mixer.linear_x.weight");
            assertThatThrownBy(() -> attach(model, "**.qproj"))
                    .isInstanceOf(UnknownParameterException.class)
                    .hasMessageContaining("did you mean q_proj");
            assertThat(SizedBlock.parametersOf(model).values())
                    .allMatch(Parameter::requiresGradient);

            LoraAdapters adapters = attach(model, "**.q_proj");
            assertThatThrownBy(() -> attach(model, "**.k_proj"))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("has adapters already, on layers.2.mixer.q_proj");
            adapters.detach();
            for (Runnable use :
                    List.<Runnable>of(
                            adapters::detach,
                            adapters::merge,
                            adapters::freezeBase,
                            adapters::parameters)) {
                assertThatThrownBy(use::run)
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessage("These adapters were merged or detached");
            }
            assertThatThrownBy(() -> attach(new LanguageModel(model.config()), "**.q_proj"))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("no parameter values yet");
        }
    }

    private static LoraAdapters attach(LanguageModel model, String... targets) {
        return LoraAdapters.attach(model, new LoraConfig(2, 4, List.of(targets)), 1);
    }
}
