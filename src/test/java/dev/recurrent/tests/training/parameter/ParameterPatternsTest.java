package dev.recurrent.tests.training.parameter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.tests.support.Conformance;
import dev.recurrent.training.parameter.ParameterPatterns;
import dev.recurrent.training.parameter.UnknownParameterException;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.preset.Presets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ParameterPatternsTest {

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "layers.0.mixer.q_proj.weight | layers.0.mixer.q_proj.weight | true",
                "layers.0.mixer.q_proj.weight | layers.10.mixer.q_proj.weight | false",
                "layers.0                     | layers.0.mixer.q_proj.weight | true",
                "layers.1                     | layers.10.mixer.q_proj.weight | false",
                "layers.*.mixer               | layers.10.mixer.q_proj.weight | true",
                "layers.*.weight              | layers.0.mixer.q_proj.weight | false",
                "layers.**.weight             | layers.0.mixer.q_proj.weight | true",
                "layers.**.weight             | layers.weight | true",
                "layers.**                    | layers.0.mixer.q_proj.weight | true",
                "layers.**                    | layersize.weight | false",
                "**.bias                      | bias | true",
                "**.bias                      | a.bias | true",
                "**.bias                      | a.xbias | false",
                "**_proj                      | layers.0.mixer.q_proj.weight | true",
                "**                           | embedding.weight | true",
                "*                            | embedding.weight | true",
                "layers.*.*_norm              | layers.3.mlp_norm.weight | true",
                "layers.*.*_norm              | layers.3.mixer.o_norm.weight | false",
                "norm                         | layers.3.norm.weight | false",
                "layers?0                     | layers.0.norm.weight | false",
                "a+                           | aa | false",
                "a.b                          | axb | false",
                "x, **.q_proj                 | l.q_proj.weight | true",
                "''                           | embedding.weight | false"
            })
    void matchesAsShellsDo(String pattern, String path, boolean expected) {
        assertThat(ParameterPatterns.of(pattern).matches(path)).isEqualTo(expected);
    }

    @Test
    void selectsInTheModelsOrder() {
        LanguageModel model = griffin();
        assertThat(ParameterPatterns.of("norm,embedding").select(model).keySet())
                .containsExactly("embedding.weight", "norm.weight");
        assertThat(ParameterPatterns.of("**").select(model))
                .isEqualTo(SizedBlock.parametersOf(model));
        assertThat(
                        ParameterPatterns.of("layers.0.**.bias", "layers.0.mixer.linear_x")
                                .select(model))
                .containsKeys("layers.0.mixer.linear_x.weight", "layers.0.mlp.up_proj.bias")
                .doesNotContainKeys("layers.0.mixer.linear_y.weight", "layers.1.mlp.up_proj.bias");
    }

    @Test
    void saysWhatThereIsInstead() {
        UnknownParameterException error =
                catchThrowableOfType(
                        UnknownParameterException.class,
                        () -> ParameterPatterns.of("norm,**.linear_z.weight").select(griffin()));
        assertThat(error.getPattern()).isEqualTo("**.linear_z.weight");
        assertThat(error.getSuggestions()).containsExactly("linear_x", "linear_y");
        assertThat(error.getExamples())
                .startsWith("embedding.weight", "layers.*.mixer_norm.weight")
                .hasSize(12);
        assertThat(error)
                .hasMessageStartingWith(
                        "No parameter matches '**.linear_z.weight'; did you mean linear_x or"
                                + " linear_y; there are, for example: embedding.weight, ");
        assertThatThrownBy(() -> ParameterPatterns.of("embedding.bias").select(griffin()))
                .hasMessageStartingWith("No parameter matches 'embedding.bias'; there are");
    }

    @Test
    void freezesAllOrNothing() {
        LanguageModel model = griffin();
        assertThatThrownBy(() -> ParameterPatterns.of("norm,nothing").freeze(model))
                .isInstanceOf(UnknownParameterException.class);
        assertThat(SizedBlock.parametersOf(model).values()).allMatch(Parameter::requiresGradient);
        ParameterPatterns.of("norm").freeze(model);
        assertThat(SizedBlock.parametersOf(model))
                .allSatisfy(
                        (path, parameter) ->
                                assertThat(parameter.requiresGradient())
                                        .isEqualTo(!path.equals("norm.weight")));
    }

    /** Everything not frozen gets a gradient here, so everything else must move. */
    @Test
    void aStockTrainerLeavesFrozenParametersAsTheyAre() throws Exception {
        try (Model djl = Model.newInstance("griffin", Device.cpu(), "PyTorch")) {
            Pretrained pretrained =
                    Pretrained.load(Conformance.path("recurrent_gemma_griffin"), Device.cpu());
            LanguageModel model = pretrained.model();
            djl.setBlock(model);
            Map<String, float[]> before = values(model);
            try (Trainer trainer = djl.newTrainer(new DefaultTrainingConfig(Loss.l2Loss()))) {
                Map<String, Parameter> frozen =
                        ParameterPatterns.of("embedding", "layers.*.mixer", "**.bias")
                                .freeze(model);
                trainer.initialize(new Shape(1, 6));
                NDArray ids = trainer.getManager().create(new long[][] {{3, 1, 4, 1, 5, 9}});
                try (GradientCollector collector = trainer.newGradientCollector()) {
                    NDArray logits = trainer.forward(new NDList(ids)).singletonOrThrow();
                    collector.backward(logits.mul(logits).mean());
                }
                trainer.step();
                values(model)
                        .forEach(
                                (path, value) -> {
                                    if (frozen.containsKey(path)) {
                                        assertThat(value).as(path).isEqualTo(before.get(path));
                                    } else {
                                        assertThat(value).as(path).isNotEqualTo(before.get(path));
                                    }
                                });
                assertThat(frozen).isNotEmpty();
            }
            pretrained.close();
        }
    }

    private static Map<String, float[]> values(LanguageModel model) {
        Map<String, float[]> values = new LinkedHashMap<>();
        SizedBlock.parametersOf(model)
                .forEach((path, p) -> values.put(path, p.getArray().toFloatArray()));
        return values;
    }

    private static LanguageModel griffin() {
        return new LanguageModel(Presets.find("griffin", "tiny").orElseThrow().model());
    }

    @Test
    void takesListsApart() {
        assertThat(ParameterPatterns.of(List.of("a, b", "c")).patterns())
                .containsExactly("a", "b", "c");
    }
}
