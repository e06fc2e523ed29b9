package dev.recurrent.zoo;

import ai.djl.Application;
import ai.djl.Device;
import ai.djl.MalformedModelException;
import ai.djl.Model;
import ai.djl.engine.Engine;
import ai.djl.repository.Artifact;
import ai.djl.repository.MRL;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ModelLoader;
import ai.djl.repository.zoo.ModelNotFoundException;
import ai.djl.repository.zoo.ZooModel;
import ai.djl.translate.TranslateException;
import ai.djl.translate.Translator;
import ai.djl.translate.TranslatorFactory;
import ai.djl.util.Progress;
import dev.recurrent.zoo.generation.TextGenerationTranslatorFactory;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import java.io.IOException;
import java.util.Map;

/**
 * Loads an entry of the zoo: the weights in this jar if there are some for the wanted size, else
 * random ones that depend on the option {@code seed} alone.
 */
final class PresetLoader implements ModelLoader {

    private static final String SEED = "seed";

    private final MRL mrl;

    PresetLoader(MRL mrl) {
        this.mrl = mrl;
    }

    @Override
    public String getGroupId() {
        return mrl.getGroupId();
    }

    @Override
    public String getArtifactId() {
        return mrl.getArtifactId();
    }

    @Override
    public Application getApplication() {
        return mrl.getApplication();
    }

    @Override
    public MRL getMrl() {
        return mrl;
    }

    @Override
    public <I, O> ZooModel<I, O> loadModel(Criteria<I, O> criteria)
            throws IOException, ModelNotFoundException, MalformedModelException {
        Preset preset = find(criteria);
        TranslatorFactory factory =
                criteria.getTranslatorFactory() == null
                        ? new TextGenerationTranslatorFactory()
                        : criteria.getTranslatorFactory();
        if (!factory.isSupported(criteria.getInputClass(), criteria.getOutputClass())) {
            throw new ModelNotFoundException(
                    mrl
                            + " translates "
                            + factory.getSupportedTypes()
                            + ", not "
                            + criteria.getInputClass()
                            + " to "
                            + criteria.getOutputClass());
        }
        String name = criteria.getModelName() == null ? getArtifactId() : criteria.getModelName();
        Pretrained pretrained = Pretrained.open(preset, device(criteria), seed(criteria));
        Model model = new PretrainedModel(name, pretrained);
        try {
            Map<String, Object> arguments =
                    criteria.getArguments() == null ? Map.of() : criteria.getArguments();
            Translator<I, O> translator =
                    factory.newInstance(
                            criteria.getInputClass(), criteria.getOutputClass(), model, arguments);
            return new ZooModel<>(model, translator);
        } catch (TranslateException e) {
            model.close();
            throw new ModelNotFoundException("No translator for " + mrl, e);
        } catch (RuntimeException e) {
            model.close();
            throw e;
        }
    }

    private Preset find(Criteria<?, ?> criteria) throws IOException, ModelNotFoundException {
        Artifact artifact = mrl.match(criteria.getFilters());
        if (artifact == null) {
            throw new ModelNotFoundException(
                    mrl
                            + " has no "
                            + criteria.getFilters()
                            + "; its sizes are "
                            + Presets.of(getArtifactId()).stream().map(Preset::size).toList());
        }
        return Presets.find(getArtifactId(), artifact.getProperties().get("size")).orElseThrow();
    }

    private static Device device(Criteria<?, ?> criteria) {
        return criteria.getDevice() == null
                ? Engine.getEngine("PyTorch").defaultDevice()
                : criteria.getDevice();
    }

    private static long seed(Criteria<?, ?> criteria) {
        String seed = criteria.getOptions() == null ? null : criteria.getOptions().get(SEED);
        try {
            return seed == null ? 0 : Long.parseLong(seed);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(
                    "The option seed is \"" + seed + "\"; it must be a whole number", e);
        }
    }

    @Override
    public <I, O> boolean isDownloaded(Criteria<I, O> criteria)
            throws IOException, ModelNotFoundException {
        find(criteria);
        return true;
    }

    @Override
    public <I, O> void downloadModel(Criteria<I, O> criteria, Progress progress)
            throws IOException, ModelNotFoundException {
        find(criteria);
    }

    @Override
    public String toString() {
        return mrl + " " + Presets.of(getArtifactId()).stream().map(Preset::size).toList();
    }
}
