package dev.recurrent.tests.zoo;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.MalformedModelException;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.LanguageModelConfig;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.tests.support.Conformance;
import dev.recurrent.zoo.checkpoint.Checkpoint;
import dev.recurrent.zoo.config.HubConfig;
import dev.recurrent.zoo.naming.NameMap;
import dev.recurrent.zoo.naming.UpstreamTensor;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import java.io.IOException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class NameMapTest {

    static List<String> models() {
        return Conformance.models();
    }

    static Stream<Preset> tinyPresets() {
        return Presets.all().stream().filter(preset -> preset.size().equals(Preset.TINY));
    }

    /** Names and shapes are exactly those of the file that upstream wrote. */
    @ParameterizedTest
    @MethodSource("models")
    void namesUpstreamsTensors(String name) throws IOException, MalformedModelException {
        HubConfig config = HubConfig.read(ZooCases.config(name));
        Map<String, Shape> parameters = shapes(config.model());
        Map<String, Shape> ours = new TreeMap<>();
        for (UpstreamTensor tensor : config.names().written()) {
            assertThat(ours.put(tensor.name(), tensor.shape(parameters)))
                    .as(tensor.name())
                    .isNull();
        }
        Map<String, Shape> theirs = new TreeMap<>();
        try (Checkpoint checkpoint = Checkpoint.open(ZooCases.folder(name))) {
            checkpoint.tensors().forEach((key, info) -> theirs.put(key, info.shape()));
            NameMap.Resolution resolution = config.names().resolve(theirs.keySet());
            assertThat(resolution.missing()).isEmpty();
            assertThat(resolution.unexpected()).isEmpty();
            assertThat(resolution.tensors().keySet()).isEqualTo(theirs.keySet());
        }
        assertThat(ours).isEqualTo(theirs);
    }

    @ParameterizedTest
    @MethodSource("models")
    void coversEveryRowOnce(String name) throws IOException, MalformedModelException {
        assertCovered(HubConfig.read(ZooCases.config(name)));
    }

    @ParameterizedTest
    @MethodSource("tinyPresets")
    void coversEveryRowOfPresetsOnce(Preset preset) {
        assertCovered(preset.config());
    }

    private static void assertCovered(HubConfig config) {
        Map<String, Shape> parameters = shapes(config.model());
        Map<String, BitSet> covered = new LinkedHashMap<>();
        for (UpstreamTensor tensor : config.names().written()) {
            for (UpstreamTensor.Part part : tensor.parts()) {
                Shape shape = parameters.get(part.parameter());
                assertThat(shape).as(part.parameter()).isNotNull();
                BitSet rows = covered.computeIfAbsent(part.parameter(), key -> new BitSet());
                int first = (int) part.firstRow();
                int end = first + (int) part.rows(shape);
                assertThat(rows.get(first, end).cardinality()).as(part.parameter()).isZero();
                rows.set(first, end);
            }
        }
        assertThat(covered.keySet()).containsExactlyInAnyOrderElementsOf(parameters.keySet());
        covered.forEach(
                (parameter, rows) ->
                        assertThat((long) rows.cardinality())
                                .as(parameter)
                                .isEqualTo(rows.length())
                                .isEqualTo(parameters.get(parameter).get(0)));
    }

    @Test
    void readsFusedGatesAndUnusedSkipsOfEarlyFiles() throws Exception {
        HubConfig config = HubConfig.read(ZooCases.config("gated_deltanet"));
        List<String> names = new ArrayList<>(names(config));
        names.removeIf(name -> name.endsWith("mlp.up_proj.weight"));
        names.add("model.layers.0.attn.D");
        NameMap.Resolution resolution = config.names().resolve(names);
        assertThat(resolution.missing()).isEmpty();
        assertThat(resolution.unexpected()).isEmpty();
        UpstreamTensor gate = resolution.tensors().get("model.layers.1.mlp.gate_proj.weight");
        assertThat(gate.shape(shapes(config.model()))).isEqualTo(new Shape(512, 64));
        assertThat(gate.parts().get(0).parameter()).isEqualTo("layers.1.mlp.gate_proj.weight");
        assertThat(gate.parts().get(1).parameter()).isEqualTo("layers.1.mlp.up_proj.weight");
    }

    @Test
    void readsSeparateConvolutionsOfOlmo() throws Exception {
        HubConfig config = HubConfig.read(ZooCases.config("olmo_hybrid"));
        List<String> names = new ArrayList<>(names(config));
        String joint = "model.layers.0.linear_attn.conv1d.weight";
        names.remove(joint);
        for (String part : List.of("q", "k", "v")) {
            names.add(joint.replace("conv1d", part + "_conv1d"));
        }
        NameMap.Resolution resolution = config.names().resolve(names);
        assertThat(resolution.missing()).isEmpty();
        assertThat(resolution.unexpected()).isEmpty();
        UpstreamTensor.Part values =
                resolution.tensors().get(joint.replace("conv1d", "v_conv1d")).parts().get(0);
        assertThat(values.parameter()).isEqualTo("layers.0.mixer.qkv_conv1d.weight");
        assertThat(values.firstRow()).isEqualTo(2 * 4 * 12);
        assertThat(values.rows()).isEqualTo(4 * 24);
    }

    @Test
    void readsTheLanguageModelOfAWholeQwen() throws Exception {
        HubConfig config = HubConfig.read(ZooCases.config("qwen3_5"));
        List<String> names =
                new ArrayList<>(
                        names(config).stream()
                                .map(name -> name.replace("model.", "model.language_model."))
                                .toList());
        names.add("model.visual.blocks.0.attn.qkv.weight");
        names.add("mtp.fc.weight");
        NameMap.Resolution resolution = config.names().resolve(names);
        assertThat(resolution.missing()).isEmpty();
        assertThat(resolution.unexpected()).isEmpty();
        assertThat(resolution.tensors()).containsKey("model.language_model.norm.weight");
    }

    @Test
    void readsOldMamba2AndTiedHeads() throws Exception {
        HubConfig mamba = HubConfig.read(ZooCases.config("mamba2"));
        List<String> old =
                names(mamba).stream()
                        .map(name -> name.replace("backbone.embeddings", "backbone.embedding"))
                        .toList();
        assertThat(mamba.names().resolve(old).missing()).isEmpty();
        HubConfig gemma = HubConfig.read(ZooCases.config("recurrent_gemma_hawk"));
        List<String> names = new ArrayList<>(names(gemma));
        names.add("lm_head.weight");
        assertThat(gemma.names().resolve(names).unexpected()).isEmpty();
    }

    @Test
    void listsMissingAndUnexpected() throws Exception {
        HubConfig config = HubConfig.read(ZooCases.config("delta_net"));
        List<String> names = new ArrayList<>(names(config));
        names.remove("model.norm.weight");
        names.remove("model.layers.2.mlp.up_proj.weight");
        names.remove("model.layers.2.mlp.gate_proj.weight");
        names.add("model.layers.3.mlp_norm.weight");
        NameMap.Resolution resolution = config.names().resolve(names);
        assertThat(resolution.missing())
                .containsExactlyInAnyOrder(
                        "model.norm.weight",
                        "model.layers.2.mlp.up_proj.weight",
                        "model.layers.2.mlp.gate_proj.weight");
        assertThat(resolution.unexpected()).containsExactly("model.layers.3.mlp_norm.weight");
    }

    private static List<String> names(HubConfig config) {
        return config.names().written().stream().map(UpstreamTensor::name).toList();
    }

    private static Map<String, Shape> shapes(LanguageModelConfig config) {
        Map<String, Shape> shapes = new LinkedHashMap<>();
        SizedBlock.parametersOf(new LanguageModel(config))
                .forEach((name, parameter) -> shapes.put(name, parameter.getShape()));
        return shapes;
    }
}
