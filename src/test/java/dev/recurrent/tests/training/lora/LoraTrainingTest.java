package dev.recurrent.tests.training.lora;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.Device;
import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Parameter;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.training.DefaultTrainingConfig;
import ai.djl.training.GradientCollector;
import ai.djl.training.Trainer;
import ai.djl.training.loss.Loss;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.nn.SizedBlock;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.training.lora.LoraAdapters;
import dev.recurrent.training.lora.LoraConfig;
import dev.recurrent.zoo.Pretrained;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Adapters under DJL's own trainer. */
class LoraTrainingTest {

    @TempDir private Path folder;

    static List<String> models() {
        return LoraCase.MODELS;
    }

    @ParameterizedTest
    @MethodSource("models")
    void aStepChangesAdaptersOnly(String name) throws Exception {
        try (Model djl = Model.newInstance(name, Device.cpu(), "PyTorch");
                Pretrained opened = LoraCase.open(name)) {
            LanguageModel model = opened.model();
            djl.setBlock(model);
            LoraAdapters adapters = LoraAdapters.attach(model, LoraConfig.allLayers(3, 3), 1);
            assertOnlyAdaptersLearn(djl, adapters);
        }
    }

    /** DJL unfreezes what it loaded itself. */
    @Test
    void freezesAgainAfterNewTrainer() throws Exception {
        try (Pretrained opened = LoraCase.open("recurrent_gemma_griffin")) {
            opened.save(folder, ScalarType.FLOAT32);
        }
        Criteria<NDList, NDList> criteria =
                Criteria.builder()
                        .setTypes(NDList.class, NDList.class)
                        .optModelPath(folder)
                        .optEngine("PyTorch")
                        .optDevice(Device.cpu())
                        .build();
        try (ZooModel<NDList, NDList> djl = criteria.loadModel()) {
            LanguageModel model = (LanguageModel) djl.getBlock();
            LoraAdapters adapters = LoraAdapters.attach(model, LoraConfig.allLayers(3, 3), 1);
            assertOnlyAdaptersLearn(djl.getWrappedModel(), adapters);
        }
    }

    private static void assertOnlyAdaptersLearn(Model djl, LoraAdapters adapters) {
        LanguageModel model = (LanguageModel) djl.getBlock();
        Map<String, float[]> before = LoraCase.values(model);
        Map<String, Parameter> trained = adapters.parameters();
        try (Trainer trainer = djl.newTrainer(new DefaultTrainingConfig(Loss.l2Loss()))) {
            adapters.freezeBase();
            trainer.initialize(new Shape(1, 6));
            backward(trainer);
            trainer.step();
            // The second time, since A's gradient is zero while B is.
            backward(trainer);
            SizedBlock.parametersOf(model)
                    .forEach((path, p) -> assertGradient(path, p, trained.containsKey(path)));
            trainer.step();
        }
        LoraCase.values(model)
                .forEach(
                        (path, value) -> {
                            if (trained.containsKey(path)) {
                                assertThat(value).as(path).isNotEqualTo(before.get(path));
                            } else {
                                assertThat(value).as(path).isEqualTo(before.get(path));
                            }
                        });
    }

    private static void assertGradient(String path, Parameter parameter, boolean expected) {
        NDArray value = parameter.getArray();
        assertThat(value.hasGradient()).as(path).isEqualTo(expected);
        if (expected) {
            assertThat(value.getGradient().abs().max().getFloat()).as(path).isPositive();
        } else {
            assertThat(JniUtils.getGradient((PtNDArray) value)).as(path).isNull();
        }
    }

    private static void backward(Trainer trainer) {
        NDArray ids = trainer.getManager().create(new long[][] {{3, 1, 4, 1, 5, 9}});
        try (GradientCollector collector = trainer.newGradientCollector()) {
            NDArray logits = trainer.forward(new NDList(ids)).singletonOrThrow();
            collector.backward(logits.mul(logits).mean());
        }
    }
}
