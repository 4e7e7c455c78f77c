"""Run Keras 2.3.1's own tests on tinynet: python benchmarks/keras_suite.py

The tests come from the source distribution of Keras 2.3.1, which pip downloads, and are run as they are, with `import
keras` giving tinynet, by keras_alias.py. Tests of what tinynet is not for are left out: LEFT_OUT names them and says
why.

    --real PYTHON   first run the same tests on the real Keras, of this interpreter: Python 3.7 with keras==2.3.1,
                    tensorflow==2.1.0, "h5py<3", "protobuf<3.21", pytest, flaky, pandas, scikit-learn, pydot
    --sdist FILE    Keras-2.3.1.tar.gz, instead of a download
    --show          print the errors, and each test that is left out
"""
from __future__ import annotations

import argparse
import fnmatch
import os
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

FILES = """
activations_test constraints_test initializers_test losses_test metrics_confusion_matrix_test metrics_correctness_test
metrics_functional_test metrics_test metrics_training_test regularizers_test optimizers_test test_sequential_model
callbacks/callbacks_test layers/core_test layers/normalization_test layers/advanced_activations_test layers/noise_test
utils/generic_utils_test utils/np_utils_test utils/data_utils_test utils/layer_utils_test utils/vis_utils_test
utils/io_utils_test wrappers/scikit_learn_test legacy/interface_test legacy/layers_test engine/test_topology
engine/test_training datasets/datasets_test backend/backend_test ../test_model_saving ../test_model_pickling
../test_dynamic_trainability ../test_loss_weighting ../test_loss_masking
../integration_tests/test_vector_data_tasks
""".split()

# {why: tests, as file::test with *}
LEFT_OUT = {
    "layers that tinynet does not have: convolutions, recurrence, embeddings, masking, Lambda, Permute ...": """
        legacy.interface_test::test_*pooling* legacy.interface_test::test_*conv* legacy.interface_test::test_embedding*
        legacy.interface_test::test_lstm* legacy.interface_test::test_simplernn* legacy.interface_test::test_gru*
        legacy.interface_test::test_upsampling* legacy.interface_test::test_zeropadding*
        legacy.interface_test::test_cropping* legacy.interface_test::test_spatialdropout* legacy.layers_test::*
        layers.core_test::test_masking layers.core_test::test_dropout layers.core_test::test_permute
        layers.core_test::test_repeat_vector layers.core_test::test_lambda*
        layers.core_test::test_sequential_as_downstream_of_masking_layer optimizers_test::test_no_grad
        utils.layer_utils_test::test_convert_weights utils.vis_utils_test::test_plot_sequential_embedding
        engine.test_topology::test_*compute_mask engine.test_topology::test_load_layers
        engine.test_topology::test_preprocess_weights_for_loading* engine.test_topology::test_multi_output_mask
        engine.test_topology::test_shared_layer_depth_is_correct
        engine.test_training::test_model_with_crossentropy_losses_channels_first
        test_model_saving::test_sequential_model_saving test_model_saving::test_saving_unused_layers_is_ok
        test_model_saving::test_loading_weights_by_name_and_reshape test_model_saving::test_saving_lambda_*
        test_model_saving::test_saving_recurrent_layer_* test_model_saving::test_*rnn*
        test_model_pickling::test_sequential_model_pickling
        test_loss_weighting::test_sequential_temporal_sample_weights
        test_loss_masking::test_masking*""",
    "functions of the backend for such layers": """
        backend.*::test_*conv* backend.*::test_pool* backend.*::test_rnn* backend.*::test_ctc* backend.*::test_resize_*
        backend.*::test_*padding* backend.*::test_batchnorm_tf* backend.*::test_batchnorm_th*
        backend.*::test_sparse_*""",
    "MeanIoU, a metric of image segmentation": """
        metrics_confusion_matrix_test.TestMeanIoU::* metrics_training_test::test_mean_iou""",
    "several inputs or outputs, branches, layers used twice in a model": """
        metrics_correctness_test.TestMetricsCorrectnessMultiIO::* regularizers_test::test_regularization_shared_*
        test_sequential_model::test_clone_functional_model* layers.normalization_test::test_shared_batchnorm
        engine.test_topology::test_multi_input_layer engine.test_topology::test_recursion*
        engine.test_topology::test_layer_sharing_* engine.test_training::test_model_methods
        engine.test_training::test_fit_generator* engine.test_training::test_training_with_loss_instance
        engine.test_training::test_model_with_partial_loss engine.test_training::test_model_with_external_loss
        engine.test_training::test_pandas_dataframe engine.test_training::*_multi_io
        engine.test_training::test_trainable_weights_count_consistency
        test_model_saving::test_saving_multiple_metrics_outputs
        test_model_pickling::test_pickling_multiple_metrics_outputs""",
    "derivatives of functions: a loss, an activation, a penalty or a layer of one's own without its backward": """
        losses_test.TestLossFunctions::test_serializing_*loss_class activations_test::test_get_fn
        utils.generic_utils_test::test_custom_objects_scope test_model_saving::test_saving_custom_activation_function
        test_model_pickling::test_sequential_model_pickling_custom_objects engine.test_training::test_loss_correctness
        engine.test_topology::test_activity_regularization_with_model_composition
        engine.test_topology::test_initialization_dtype backend.*::test_gradient backend.*::test_stop_gradient""",
    "graphs of symbols: placeholders, updates, masks, add_loss, add_metric, nodes, axes of unknown length": """
        activations_test::test_softmax_* activations_test::test_time_distributed_softmax activations_test::test_softplus
        activations_test::test_softsign activations_test::test_sigmoid activations_test::test_hard_sigmoid
        activations_test::test_relu activations_test::test_elu activations_test::test_tanh activations_test::test_linear
        test_sequential_model::test_clone_sequential_model test_sequential_model::test_sequential_update_disabling
        layers.core_test::test_reshape?target_shape3* layers.core_test::test_dense
        layers.normalization_test::test_batchnorm_training_argument
        layers.normalization_test::test_that_trainable_disables_updates
        layers.normalization_test::test_batchnorm_trainable layers.advanced_activations_test::test_relu_tf_ops
        engine.test_topology::test_get_updates_for engine.test_topology::test_get_losses_for
        engine.test_topology::test_learning_phase engine.test_topology::test_layer_call_arguments
        engine.test_topology::test_node_construction engine.test_training::test_model_with_input_feed_tensor
        engine.test_training::test_target_tensors engine.test_training::*_symbolic_tensors_single_io
        engine.test_training::test_dynamic_set_inputs engine.test_training::test_model_metrics_list*
        engine.test_training::test_*add_metric*
        backend.*::test_batch_dot_shape backend.*::test_repeat_elements backend.*::test_function_tf_*
        backend.*::test_is_keras_tensor""",
    "parts of Keras that no script calls: queues, H5Dict, function bytecode, checks inside fit": """
        utils.generic_utils_test::test_func_dump_and_load* utils.data_utils_test::*enqueuer*
        utils.data_utils_test::test_on_epoch_end_* utils.data_utils_test::test_context_switch
        utils.io_utils_test::* engine.test_training::test_check_* engine.test_training::testslice_arrays
        engine.test_training::test_weighted_masked_objective engine.test_training::test_sample_weights
        test_loss_masking::test_loss_masking *::test_*_right_after_compilation
        callbacks.callbacks_test.TestCallbackCounts::test_callback_list_methods""",
    "other systems: TensorFlow's optimizers, HTTP, Google's cloud, half precision, NumPy's order of equal numbers": """
        optimizers_test::test_tfoptimizer callbacks.callbacks_test::tests_RemoteMonitor*
        callbacks.callbacks_test::test_TensorBoard* test_model_saving::*_gcs backend.*::test_set*float16*
        backend.*::test_in_top_k""",
}

CONFTEST = '''
import sys
sys.path.insert(0, {folder!r})
{start}
import pytest
from keras import backend as K


@pytest.fixture(autouse=True)
def clear_session_after_test():
    yield
    K.clear_session()
'''
REAL = '''
import tensorflow as tf
tf.config.experimental_list_devices = lambda: []        # Keras 2.3.1 asks for a name that TensorFlow 2.1 has moved
'''


def unpacked(sdist, folder) -> Path:
    """The sources of Keras in a folder."""
    if sdist is None:
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:",
                        "-d", folder, "keras==2.3.1"], check=True)
        sdist = next(Path(folder).glob("[Kk]eras-2.3.1.tar.gz"))
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return Path(folder) / "Keras-2.3.1"


def results(python, folder, start) -> dict[str, str]:
    """{test: "passed", "skipped" or what went wrong}"""
    here = str(Path(__file__).parent)
    (folder / "tests" / "conftest.py").write_text(CONFTEST.format(start=start, folder=here))
    environment = os.environ | {"KERAS_SOURCES": str(folder / "keras"), "CUDA_VISIBLE_DEVICES": "",
                                "TF_CPP_MIN_LOG_LEVEL": "3", "MPLBACKEND": "Agg", "PYTHONWARNINGS": "ignore"}
    report = folder / "report.xml"
    subprocess.run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}",
                    *[str(Path("tests/keras") / f"{file}.py") for file in FILES]],
                   cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        problem = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        name = f"{case.get('classname', '').removeprefix('tests.').removeprefix('keras.')}::{case.get('name')}"
        found[name] = "passed" if problem is None else "skipped" if problem.tag == "skipped" else (
            problem.get("message", "").splitlines() or ["failed"])[0]
    return found


def reason_to_leave_out(test) -> str | None:
    """Why a test is left out, None if it fits."""
    return next((why for why, patterns in LEFT_OUT.items() for pattern in patterns.split()
                 if fnmatch.fnmatchcase(test, pattern)), None)


def main():
    """Print how many of the tests that fit pass, which do not, and which are left out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--real")
    parser.add_argument("--sdist")
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sources = unpacked(arguments.sdist, folder)
        fitting = None
        if arguments.real:
            real = results(arguments.real, sources, REAL)
            fitting = {test for test, outcome in real.items() if outcome == "passed"}
            print(f"The real Keras: {len(fitting)} of {len(real)} tests pass.")
        ours = results(sys.executable, sources, "import keras_alias")
    run = {test: outcome for test, outcome in ours.items() if fitting is None or test in fitting}
    left = {test: why for test in run if (why := reason_to_leave_out(test))}
    fit = {test: outcome for test, outcome in run.items() if test not in left and outcome != "skipped"}
    passed = sum(outcome == "passed" for outcome in fit.values())
    for test, outcome in fit.items():
        if outcome != "passed":
            print(f"failed: {test}" + (f"\n        {outcome}" if arguments.show else ""))
    for why, count in Counter(left.values()).most_common():
        print(f"left out, {count}: {why}")
        for test in left if arguments.show else []:
            if left[test] == why:
                print(f"        {test}")
    print(f"{passed} of {len(fit)} tests that fit pass ({passed / len(fit):.1%}); {len(left)} are left out.")


if __name__ == "__main__":
    main()
