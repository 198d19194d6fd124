// The password of the chat, asked for when the chat wants it.

const $ = id => document.getElementById(id);

export class Lock {
  // opened() is called when the password was taken.
  constructor(opened) {
    $('unlock').addEventListener('cancel', event => event.preventDefault());
    $('unlock-form').addEventListener('submit', async event => {
      event.preventDefault();
      $('unlock-problem').textContent = '';
      const problem = await said($('password').value);
      if (problem) {
        $('unlock-problem').textContent = `${problem[0].toUpperCase()}${problem.slice(1)}.`;
        $('password').select();
        return;
      }
      $('password').value = '';
      $('unlock').close();
      opened();
    });
  }

  ask() {
    if ($('unlock').open) return;
    $('unlock').showModal();
    $('password').focus();
  }
}

// said says the password, and gives why it was not taken.
async function said(password) {
  try {
    const response = await fetch('unlock', {method: 'POST', body: password});
    return response.ok ? '' : (await response.text()).trim();
  } catch {
    return 'the chat can’t be reached';
  }
}
